// The skip rule for folders that have no UIDs: archives, whose files tell by their times and sizes.
#include "engine/crossing/skip.h"

#include <catch2/catch.hpp>

#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

struct Setup {
  MappedFolder folder;
  FolderRecord record;

  Setup() {
    folder.exists = true;
    folder.target_numbers.uid_validity = 7;
    folder.target_numbers.uid_next = 20;
    folder.source.numbers.highest_modseq = 1234;
    record.completed.emplace();
    record.completed->messages = 10;
    record.completed->highest_modseq = 1234;
    record.completed_present = 9;
    record.target_uid_validity = 7;
    record.target_uid_next_seen = Uid{20};
    record.options_hash = "options";
  }
  bool skipped() const { return prove(folder, record, "options") == Proof::nothing_to_do; }
};

}  // namespace

TEST_CASE("a folder without UIDs is skipped while its number stands still") {
  Setup setup;
  REQUIRE(setup.skipped());
  const Tally tally = unchanged(setup.record);
  CHECK(tally.seen == 10);
  CHECK(tally.present == 9);
  CHECK(tally.balances());
}

TEST_CASE(
    "a folder without UIDs is not skipped when its number changed, is not told, or says nothing") {
  for (const std::optional<std::uint64_t> now :
       {std::optional<std::uint64_t>(1235), std::optional<std::uint64_t>()}) {
    Setup setup;
    setup.folder.source.numbers.highest_modseq = now;
    CHECK_FALSE(setup.skipped());
  }
  Setup setup;
  setup.folder.source.numbers.highest_modseq = setup.record.completed->highest_modseq = 1;
  CHECK_FALSE(setup.skipped());
}

TEST_CASE("a relay's folder without UIDs is known to be the same by its number alone") {
  FolderNumbers now, then;
  now.highest_modseq = then.highest_modseq = 1234;
  then.messages = 10;
  CHECK(same_messages(now, then));
  now.highest_modseq = 1235;
  CHECK_FALSE(same_messages(now, then));
  now.highest_modseq = then.highest_modseq = 1;
  CHECK_FALSE(same_messages(now, then));
  now.highest_modseq = then.highest_modseq = 1234;
  then.messages.reset();
  CHECK_FALSE(same_messages(now, then));
}

TEST_CASE("a folder that has lost its UIDs, or got some, is not skipped") {
  Setup lost;
  lost.record.completed->uid_validity = 3;
  CHECK_FALSE(lost.skipped());
  Setup got;
  got.folder.source.numbers.uid_next = 11;
  CHECK_FALSE(got.skipped());
}

TEST_CASE("a folder without UIDs is not skipped when the target changed") {
  Setup setup;
  setup.folder.target_numbers.uid_next = 21;
  CHECK_FALSE(setup.skipped());
}

TEST_CASE("a source that went back in one folder is not believed about another") {
  MemoryOptions tracked;
  tracked.condstore = true;
  Pair pair(tracked, tracked);
  pair.fill("INBOX", 8);
  pair.fill("Work", 5, "w");
  pair.run();
  REQUIRE(pair.run().messages().present == 13);
  // As many came to INBOX since as were lost there, and its numbers are what they were.
  MemoryFolder& inbox = pair.source.folder("INBOX");
  const std::uint64_t modseq = inbox.highest_modseq;
  inbox.remove(Uid{8});
  inbox.uid_next = Uid{8};
  pair.add("INBOX", letter("came since", "another"));
  inbox.highest_modseq = modseq;
  MemoryFolder& work = pair.source.folder("Work");
  SECTION("by its UIDNEXT") {
    work.remove(Uid{5});
    work.uid_next = Uid{5};
  }
  SECTION("by its HIGHESTMODSEQ") { --work.highest_modseq; }
  pair.run();
  CHECK(pair.on_target("INBOX") == 9);
  const auto told = [&pair] {
    return std::ranges::count_if(pair.observer.notes, [](const std::string& note) {
      return note.find("the source went back to what it was before") != std::string::npos;
    });
  };
  CHECK(told() == 1);
  pair.run();
  CHECK(told() == 1);  // and not again
}

TEST_CASE("a subscription that the target refuses is told once, and asked for again by retry") {
  MemoryOptions source;
  source.condstore = true;
  Pair pair(source);
  pair.fill("INBOX", 3);
  pair.source.folder("INBOX").subscribed = true;
  const auto forbidden = [](MemoryServer&, std::string_view call) {
    if (call == "subscribe") throw Error(ErrorKind::rejected, "NO not for you", "memory");
  };
  pair.target.faults.on_call = forbidden;
  const auto run_again = [&pair] {
    pair.observer.notes.clear();
    pair.source.calls.clear();
    pair.target.calls.clear();
    return pair.run();
  };
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.observer.said("it is not subscribed on the target: NO not for you"));
  run_again();
  CHECK(pair.observer.notes.empty());
  CHECK(pair.source.calls["select"] == 0);
  pair.add("INBOX", letter("new"));
  CHECK(run_again().messages().copied == 1);
  CHECK(pair.target.calls["subscribe"] == 0);
  pair.options.only_failed = true;
  run_again();
  CHECK(pair.observer.said("it is not subscribed on the target"));
  pair.target.faults.on_call = nullptr;
  run_again();
  CHECK(pair.target.folder("INBOX").subscribed);
  CHECK(pair.observer.notes.empty());
  pair.options.only_failed = false;
  run_again();
  run_again();
  CHECK(pair.source.calls["select"] == 0);
}
