// Ends under other names: the same mailbox is known again, another one never passes for it.

#include "engine/crossing/same_account.h"

#include "tests/engine/crossing_fixture.h"

using namespace postferry;
using Catch::Matchers::Contains;

namespace {

struct Renamed : Pair {
  using Pair::Pair;
  std::size_t confirm(MemoryServer* other_source, MemoryServer* other_target) {
    const auto from = other_source ? make_memory_source(*other_source) : nullptr;
    const auto to = other_target ? make_memory_target(*other_target) : nullptr;
    return block_on(executor, confirm_same_account({from.get(), to.get()}, *journal,
                                                   {"ann", "source", "target"}));
  }
  std::string refused(MemoryServer* other_source, MemoryServer* other_target) {
    try {
      (void)confirm(other_source, other_target);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      return error.what();
    }
    return "(taken)";
  }
};

}  // namespace

TEST_CASE("the mailboxes that the journal knows are known again under other names") {
  Renamed pair;
  pair.fill("INBOX", 30);
  pair.fill("Sent", 3, "s");
  pair.run();
  CHECK(pair.confirm(&pair.source, &pair.target) == 22);
  pair.source.folder("INBOX").remove(Uid{30});  // people delete mail
  CHECK(pair.confirm(&pair.source, nullptr) == 10);
}

TEST_CASE("what was on the target before, with dates of its own, is no other mailbox") {
  Renamed pair;
  for (int i = 0; i < 5; ++i) {
    pair.add("INBOX", letter("m" + std::to_string(i)));
    pair.target.folder("INBOX").add(letter("m" + std::to_string(i)), {}, InternalDate{7, 0});
  }
  CHECK(pair.run().messages().present == 5);
  CHECK(pair.confirm(&pair.source, &pair.target) == 10);
}

TEST_CASE("another mailbox with the same UIDVALIDITY, UIDs, sizes and dates is refused") {
  Renamed pair;
  pair.fill("INBOX", 5);
  pair.run();
  Pair other;
  other.fill("INBOX", 5, "x");
  other.run();
  CHECK_THAT(pair.refused(&other.source, nullptr), Contains("is another account"));
  CHECK_THAT(pair.refused(nullptr, &other.target), Contains("is another account"));
}

TEST_CASE("another UIDVALIDITY, and an empty mailbox are refused") {
  Renamed pair;
  pair.fill("INBOX", 5);
  pair.run();
  MemoryServer renumbered, empty;
  renumbered.folder("INBOX").uid_validity = 77;
  for (const bool at_source : {true, false}) {
    empty.folder("INBOX").uid_validity =
        (at_source ? pair.source : pair.target).folder("INBOX").uid_validity;
    const auto look = [&](MemoryServer& server) {
      return at_source ? pair.refused(&server, nullptr) : pair.refused(nullptr, &server);
    };
    CHECK_THAT(look(renumbered), Contains("has another UIDVALIDITY"));
    CHECK_THAT(look(empty), Contains("none of the 5 messages"));
  }
}

TEST_CASE("a mailbox without most of the recorded folders is refused") {
  Renamed pair;
  for (const char* folder : {"One", "Two", "Three"}) pair.fill(folder, 2, folder);
  pair.run();
  MemoryServer bare;
  CHECK_THAT(pair.refused(&bare, nullptr), Contains("has not 3 of the 4 recorded folders"));
}

TEST_CASE("a POP3 account is known by its UIDLs and their bytes") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  Renamed pair(pop3);
  pair.fill("INBOX", 5);
  pair.run();
  CHECK(pair.confirm(&pair.source, nullptr) == 5);
  MemoryServer other(pop3);
  for (int i = 0; i < 5; ++i) other.folder("INBOX").add(letter("x" + std::to_string(i)));
  CHECK_THAT(pair.refused(&other, nullptr), Contains("is another account"));
}

TEST_CASE(
    "names are changed for all accounts of the journal, and never to a mailbox that is known") {
  Renamed pair;
  pair.fill("INBOX", 2);
  pair.run();
  Journal& journal = *pair.journal;
  ManualExecutor& executor = pair.executor;
  const AccountId bob = block_on(executor, journal.account("bob", "bob", "target"));
  const AccountId cid = block_on(executor, journal.account("cid", "cid", "elsewhere"));
  (void)block_on(executor,
                 journal.folder(cid, FolderName::parse("INBOX"), FolderName::parse("INBOX")));
  const EndNames old{"source", "target"};
  CHECK_THROWS_AS(block_on(executor, journal.rename_ends(old, {"source", "elsewhere"})), Error);
  CHECK(block_on(executor, journal.ends_of("ann")) == old);
  block_on(executor, journal.rename_ends(old, {"new source", "new target"}));
  CHECK(block_on(executor, journal.ends_of("ann")) == EndNames{"new source", "new target"});
  CHECK(block_on(executor, journal.account("bob", "bob", "new target")) == bob);
  CHECK_FALSE(block_on(executor, journal.ends_of("nobody")));
  const AccountId ann = block_on(executor, journal.account("ann", "new source", "new target"));
  const auto folders = block_on(executor, journal.folders(ann));
  REQUIRE(folders.size() == 1);
  const FolderRecord same = block_on(
      executor, journal.folder(ann, FolderName::parse("INBOX"), FolderName::parse("INBOX")));
  CHECK(same.target_folder == folders[0].target_folder);
}
