// The rules of DESIGN section 5, one number and one guard at a time.
#include "engine/crossing/skip.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

/// A folder with nothing to do, as the listings and the journal have it.
struct Unchanged {
  Unchanged() {
    folder.source.name = folder.target = FolderName::parse("INBOX");
    folder.exists = true;
    folder.source.numbers.uid_validity = 7;
    folder.source.numbers.uid_next = 40;
    folder.source.numbers.messages = 30;
    folder.source.numbers.highest_modseq = 900;
    folder.target_numbers.uid_validity = 8;
    folder.target_numbers.uid_next = 50;
    record.completed = folder.source.numbers;
    record.options_hash = "as before";
    record.completed_present = 30;
    record.source_uid_validity = 7;
    record.matched = true;
    record.target_uid_validity = 8;
    record.target_uid_next_seen = Uid{50};
  }
  bool passed_over() {
    return prove(folder, record, "as before") == Proof::nothing_to_do;
  }

  MappedFolder folder;
  FolderRecord record;
};

}  // namespace

TEST_CASE("each number that differs, alone, opens a folder") {
  Unchanged it;
  REQUIRE(it.passed_over());
  FolderNumbers& source = it.folder.source.numbers;
  FolderNumbers& target = it.folder.target_numbers;
  SECTION("the source's UIDVALIDITY") { source.uid_validity = 6; }
  SECTION("none at the source") { source.uid_validity.reset(); }
  SECTION("the source's UIDNEXT") { source.uid_next = 41; }
  SECTION("none at the source") { source.uid_next.reset(); }
  SECTION("the count") { source.messages = 29; }
  SECTION("HIGHESTMODSEQ") { source.highest_modseq = 901; }
  SECTION("no HIGHESTMODSEQ") { source.highest_modseq.reset(); }
  SECTION("the target's UIDVALIDITY") { target.uid_validity = 9; }
  SECTION("the target's UIDNEXT, lower") { target.uid_next = 49; }
  SECTION("none at the target") { target.uid_next.reset(); }
  CHECK_FALSE(it.passed_over());
}

TEST_CASE("a HIGHESTMODSEQ of 0 or 1 tracks nothing, and opens a folder with mail") {
  Unchanged it;
  it.folder.source.numbers.highest_modseq = GENERATE(0u, 1u);
  it.record.completed = it.folder.source.numbers;
  CHECK_FALSE(it.passed_over());
}

TEST_CASE("what the last crossing left opens a folder") {
  Unchanged it;
  SECTION("it did not complete") { it.record.completed.reset(); }
  SECTION("other options") { it.record.options_hash = "others"; }
  SECTION("an open batch") { it.record.batches_open = true; }
  SECTION("no target folder") { it.folder.exists = false; }
  SECTION("a subscription that is missing") { it.folder.source.subscribed = true; }
  CHECK_FALSE(it.passed_over());
}

TEST_CASE("nothing is mirrored where names are no UIDs") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  Pair pair(pop3);
  pair.options.mirror_deletions = true;
  pair.fill("INBOX", 5);
  pair.run();
  MemoryFolder& inbox = pair.source.folder("INBOX");
  for (int i = 0; i < 2; ++i) inbox.remove(inbox.messages.front().uid);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.on_target("INBOX") == 5);
}

TEST_CASE("the flags a message came with are newer than those of its listing") {
  MemoryOptions target;
  target.traits.uidplus = GENERATE(true, false);
  Pair pair({}, target);
  for (const char* name : {"first", "second"})
    pair.add("INBOX", letter(name), "\\Seen \\Answered");
  MemoryFolder& inbox = pair.source.folder("INBOX");
  pair.source.faults.on_fetch = [&inbox](const FolderName&, const MemoryMessage& message) {
    if (message.uid == Uid{1})
      inbox.set_flags(inbox.messages.back(), Flags::parse("\\Seen \\Flagged"));
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.flags_updated() == 0);
  CHECK(pair.equal());
}
