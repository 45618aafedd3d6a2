// A source that tells what changed is asked for no more; and for everything wherever that does not
// add up with the journal.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

constexpr std::uint32_t kGap = 6;  // a UID that no message had

/// Twenty-five letters have crossed, of which sixteen are witnesses.
struct Crossed : Pair {
  Crossed() : Pair(telling()), box(source.folder("Box")) {
    fill("Box", kGap - 1);
    ++box.uid_next.value;
    fill("Box", 25 - static_cast<int>(kGap) + 1, "n");
    const Ledger first = run();
    REQUIRE(first.outcome == Outcome::complete);
    source.calls.clear();
  }
  Tally again() {
    const Ledger ledger = run();
    CHECK(ledger.outcome == Outcome::complete);
    return ledger.messages();
  }
  bool read_whole() { return source.calls["catalogue"] > 0; }
  bool read_changes() { return source.calls["changes"] > 0; }

  MemoryFolder& box;
};

}  // namespace

TEST_CASE("only what changed and came is read, and the ledger still has every message") {
  Crossed pair;
  pair.add("Box", letter("new"));
  pair.box.set_flags(pair.box.messages[2], Flags::parse("\\Flagged"));
  const Tally tally = pair.again();
  CHECK(tally.seen == 26);
  CHECK(tally.copied == 1);
  CHECK(tally.present == 25);
  CHECK(pair.equal());
  CHECK(pair.read_changes());
  CHECK_FALSE(pair.read_whole());
  const Tally nothing = pair.again();
  CHECK(nothing.present == 26);
  CHECK(pair.source.calls["select"] == 1);
}

TEST_CASE("what vanished is not counted, and stays on the target") {
  Crossed pair;
  pair.box.remove(Uid{3});
  pair.add("Box", letter("new"));
  const Tally tally = pair.again();
  CHECK(tally.seen == 25);
  CHECK(tally.copied == 1);
  CHECK(pair.on_target("Box") == 26);
  CHECK_FALSE(pair.read_whole());
}

TEST_CASE("mirrored deletions come from the list of UIDs, read twice") {
  Crossed pair;
  pair.options.mirror_deletions = true;
  pair.add("Box", letter("other"));
  const Tally first = pair.again();  // other options: all of it is read
  CHECK(first.seen == 26);
  CHECK(pair.read_whole());
  pair.source.calls.clear();
  pair.box.remove(Uid{3});
  pair.box.remove(Uid{20});
  pair.box.set_flags(pair.box.messages[0], Flags::parse("\\Answered"));
  const Tally second = pair.again();
  CHECK(second.seen == 24);
  CHECK(pair.on_target("Box") == 24);
  CHECK(pair.equal());
  CHECK(pair.read_changes());
  CHECK(pair.source.calls["catalogue"] == 2);  // in this source the list of UIDs is one
}

TEST_CASE("a message that came with an old mod-sequence is copied all the same") {
  Crossed pair;
  pair.add("Box", letter("new"));
  pair.box.messages.back().modseq = 1;
  const Tally tally = pair.again();
  CHECK(tally.copied == 1);
  CHECK(pair.equal());
}

TEST_CASE("a HIGHESTMODSEQ that stands still or goes back is not believed") {
  const bool back = GENERATE(true, false);
  Crossed pair;
  const std::uint64_t before = pair.box.highest_modseq;
  pair.add("Box", letter("new"));
  pair.box.messages[1].flags = Flags::parse("\\Flagged");
  pair.box.highest_modseq = back ? before - 1 : before;
  const Tally tally = pair.again();
  CHECK(tally.copied == 1);
  CHECK(pair.equal());
  CHECK(pair.read_whole());
}

TEST_CASE("counts that do not add up take a whole catalogue") {
  Crossed pair;
  MemoryMessage late = pair.box.messages[0];
  late.uid = Uid{kGap};
  late.bytes = letter("late");
  ++pair.box.highest_modseq;
  pair.box.messages.insert(pair.box.messages.begin() + kGap - 1, late);
  const Tally tally = pair.again();
  CHECK(tally.copied == 1);
  CHECK(pair.read_whole());
}

TEST_CASE("a changed message below UIDNEXT without a row takes a whole catalogue") {
  Crossed pair;
  MemoryMessage late = pair.box.messages[0];
  late.uid = Uid{kGap};
  late.bytes = letter("late");
  pair.box.messages.insert(pair.box.messages.begin() + kGap - 1, late);
  pair.box.remove(Uid{8});  // so that the counts add up
  pair.box.messages[kGap - 1].modseq = ++pair.box.highest_modseq;
  const Tally tally = pair.again();
  CHECK(tally.copied == 1);
  CHECK(pair.read_whole());
}

TEST_CASE("a recorded message that is another now makes void what was recorded") {
  Crossed pair;
  MemoryMessage& last = pair.box.messages.back();
  last.bytes = letter("another", "restored from a backup");
  last.date = InternalDate{55, 0};
  pair.add("Box", letter("new"));
  const Tally tally = pair.again();
  CHECK(tally.copied == 2);
  CHECK(pair.read_whole());
  CHECK(pair.observer.said("recorded UIDs name other messages at the source"));
}

TEST_CASE("a size that was left out of a listing does not make another message") {
  Pair pair;
  pair.fill("Box", 3);
  MemoryMessage& bare = pair.source.folder("Box").messages[1];
  const std::optional<InternalDate> date = bare.date;
  const bool first = GENERATE(true, false);
  const auto leave_out = [&bare, &date](bool whether) {
    bare.listed_bytes = whether ? std::optional<std::uint64_t>(0) : std::nullopt;
    bare.date = whether ? std::nullopt : date;
  };
  leave_out(first);
  pair.run();
  leave_out(!first);
  pair.add("Box", letter("new"));
  CHECK(pair.run().messages().copied == 1);
  CHECK(pair.on_target("Box") == 4);
  CHECK_FALSE(pair.observer.said("name other messages"));
}

TEST_CASE("a folder whose recorded newest are all gone is read whole") {
  Crossed pair;
  for (std::uint32_t uid = 11; uid <= 26; ++uid) pair.box.remove(Uid{uid});
  const Tally tally = pair.again();
  CHECK(tally.seen == 9);
  CHECK(pair.read_whole());
}

TEST_CASE("a target folder that was replaced takes a whole catalogue, and nothing crosses twice") {
  Crossed pair;
  pair.target.renumber(FolderName::parse("Box"), 77);
  pair.add("Box", letter("new"));
  const Tally tally = pair.again();
  CHECK(tally.copied == 1);
  CHECK(tally.present == 25);
  CHECK(pair.read_whole());
  CHECK(pair.equal());
}

TEST_CASE("where the user leaves mail out, the whole catalogue is read") {
  Crossed pair;
  pair.options.since = 0;
  pair.add("Box", letter("one"));
  pair.again();
  pair.source.calls.clear();
  pair.add("Box", letter("two"));
  pair.again();
  CHECK(pair.read_whole());
  CHECK_FALSE(pair.read_changes());
}
