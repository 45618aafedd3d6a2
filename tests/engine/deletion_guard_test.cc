// Many deletions at once need to be forced, and so does the greater part of a small folder, if its
// messages are nowhere else.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

struct Mirrored : Pair {
  Mirrored() { options.mirror_deletions = true; }
  void empty(const char* folder, std::size_t leave = 0) {
    std::vector<MemoryMessage>& messages = source.folder(folder).messages;
    messages.resize(leave, MemoryMessage{});
  }
  /// As a mail program does: the same bytes under new UIDs.
  void move_all(const char* from, const char* to) {
    for (const MemoryMessage& message : source.folder(from).messages)
      source.folder(to).add(message.bytes, message.flags, message.date);
    empty(from);
  }
};

}  // namespace

TEST_CASE("more than half of a folder needs to be forced, though it is few messages") {
  Mirrored pair;
  pair.fill("INBOX", 5);
  pair.fill("Other", 30, "other");
  pair.run();
  pair.empty("INBOX", GENERATE(0u, 1u));
  const auto gone = static_cast<std::uint64_t>(5 - pair.source.folder("INBOX").messages.size());
  for (int i = 0; i < 2; ++i) {
    const Ledger held = pair.run();
    CHECK(held.deleted() == 0);
    CHECK(held.outcome == Outcome::partial);
    REQUIRE(held.folders_failed() == 1);
    CHECK(std::string(held.folders[0].error->what()).find("--force-deletions") !=
          std::string::npos);
  }
  pair.options.force_deletions = true;
  CHECK(pair.run().deleted() == gone);
}

TEST_CASE("three messages are few enough, though they are all of a folder, and so is half of it") {
  Mirrored pair;
  pair.fill("INBOX", 3);
  pair.fill("Half", 10, "half");
  pair.fill("Other", 30, "other");
  pair.run();
  pair.empty("INBOX");
  pair.empty("Half", 5);
  const Ledger ledger = pair.run();
  CHECK(ledger.deleted() == 8);
  CHECK(ledger.outcome == Outcome::complete);
}

TEST_CASE("a folder whose messages were moved to another one may be emptied") {
  Mirrored pair;
  pair.fill("INBOX", 8);
  pair.fill("Archive", 2, "old");
  pair.run();
  pair.move_all("INBOX", "Archive");
  SECTION("since the last run") {
    CHECK(pair.run().deleted() == 8);
    CHECK(pair.equal());
  }
  SECTION("and are gone from there, too") {
    pair.options.mirror_deletions = false;
    pair.run();
    pair.options.mirror_deletions = true;
    pair.empty("Archive");
    const Ledger held = pair.run();
    CHECK(held.deleted() == 0);
    CHECK(held.folders_failed() == 2);
  }
}

TEST_CASE("the trash may be emptied, but of many messages only by force") {
  Mirrored pair;
  const int count = GENERATE(15, 30);
  pair.source.folder("Bin").role = Role::trash;
  pair.fill("Bin", count);
  pair.fill("INBOX", 40, "other");
  pair.run();
  pair.empty("Bin");
  CHECK(pair.run().deleted() == (count == 15 ? 15u : 0u));
}

TEST_CASE("more than half of an account needs to be forced, though it is three in each folder") {
  Mirrored pair;
  for (const char* folder : {"One", "Two", "Three"}) pair.fill(folder, 3, folder);
  pair.run();
  for (const char* folder : {"One", "Two"}) pair.empty(folder);
  const Ledger held = pair.run();
  CHECK(held.deleted() == 0);
  CHECK(held.folders_failed() == 2);
  pair.options.force_deletions = true;
  CHECK(pair.run().deleted() == 6);
}

TEST_CASE("a dry run refuses what the guard of small folders would refuse") {
  Mirrored pair;
  pair.fill("INBOX", 5);
  pair.fill("Other", 30, "other");
  pair.run();
  pair.empty("INBOX");
  pair.options.dry_run = true;
  const Ledger ledger = pair.run();
  CHECK(ledger.deleted() == 0);
  CHECK(ledger.folders_failed() == 1);
}
