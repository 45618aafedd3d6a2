// A dry run tells what the run would do, deletions, removals and flags too, and does none of it.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

/// What has crossed once, and is about to be carried again.
struct Crossed : Pair {
  explicit Crossed(int messages = 30, MemoryOptions source_options = {})
      : Pair(std::move(source_options)) {
    fill("INBOX", messages);
    run();
  }
  Ledger dry() {
    CrossingOptions wet = options;
    options.dry_run = true;
    const auto before = std::pair(content(source, inbox), content(target, inbox));
    Ledger ledger = run();
    CHECK(before == std::pair(content(source, inbox), content(target, inbox)));
    CHECK(ledger.messages().copied == 0);
    options = wet;
    return ledger;
  }
  void remove(std::size_t count) {
    MemoryFolder& folder = source.folder("INBOX");
    for (std::size_t i = 0; i < count; ++i) folder.remove(folder.messages[0].uid);
  }
  const FolderName inbox = FolderName::parse("INBOX");
};

}  // namespace

TEST_CASE("a dry run tells how many deletions would be mirrored") {
  Crossed pair(30, GENERATE(MemoryOptions{}, telling()));
  pair.options.mirror_deletions = true;
  pair.remove(3);
  CHECK(pair.dry().deleted() == 3);
  CHECK(pair.run().deleted() == 3);
  CHECK(pair.dry().deleted() == 0);
}

TEST_CASE("a dry run refuses what the guard against many deletions would refuse") {
  Crossed pair(60);
  pair.options.mirror_deletions = true;
  pair.remove(30);
  const Ledger refused = pair.dry();
  CHECK(refused.deleted() == 0);
  CHECK(refused.outcome == Outcome::partial);
  REQUIRE(refused.folders[0].error);
  CHECK(refused.folders[0].error->message() == pair.run().folders[0].error->message());
  pair.options.force_deletions = true;
  CHECK(pair.dry().deleted() == 30);
  CHECK(pair.run().deleted() == 30);
}

TEST_CASE("a dry run tells that a doubt would hold all deletions back, and leaves it in place") {
  Crossed pair;
  pair.fill("Other", 3, "other");
  pair.options.mirror_deletions = true;
  pair.run();
  pair.remove(3);
  pair.source.remove_folder(FolderName::parse("Other"));
  CHECK(pair.dry().deleted() == 0);
  CHECK(pair.observer.said("folder Other is missing from the source; nothing is deleted"));
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.dry().deleted() == 3);
}

TEST_CASE("a dry run tells what would be removed from the source, once it has crossed, too") {
  Crossed pair(5);
  pair.fill("INBOX", 2, "new");
  pair.options.remove_after = std::chrono::days(0);
  const Ledger ledger = pair.dry();
  CHECK(ledger.messages().pending == 2);
  CHECK(ledger.removed() == 7);
  CHECK(pair.run().removed() == 7);
}

TEST_CASE("a dry run counts as removed only what has been there for as long as asked for") {
  Crossed pair(5);
  pair.options.remove_after = std::chrono::days(30);
  pair.executor.advance(std::chrono::hours(24 * 29));
  pair.fill("INBOX", 2, "new");
  CHECK(pair.dry().removed() == 0);
  pair.run();
  pair.executor.advance(std::chrono::hours(24 * 2));
  CHECK(pair.dry().removed() == 5);
  CHECK(pair.run().removed() == 5);
}

TEST_CASE("a dry run tells how many flags would change") {
  Crossed pair(5, GENERATE(MemoryOptions{}, telling()));
  MemoryFolder& folder = pair.source.folder("INBOX");
  folder.set_flags(folder.messages[1], Flags::parse("\\Seen \\Flagged"));
  CHECK(pair.dry().flags_updated() == 1);
  CHECK(pair.run().flags_updated() == 1);
}

TEST_CASE("what a target has lost with its folder is to be copied, says a dry run") {
  Crossed pair(5, GENERATE(MemoryOptions{}, telling()));
  pair.options.mirror_deletions = true;
  pair.remove(1);
  SECTION("the folder is gone") {
    pair.target.remove_folder(pair.inbox);
    CHECK(pair.dry().messages().pending == 4);
    CHECK(pair.observer.said("it is gone from the target, and would be made and filled again"));
  }
  SECTION("it was made anew") {
    pair.target.remove_folder(pair.inbox);
    pair.target.folder("INBOX").uid_validity = 77;
    CHECK(pair.dry().messages().pending == 4);
    CHECK(pair.observer.said("UIDVALIDITY changed; its messages would be matched anew"));
  }
  SECTION("it was put back to what it was before") {
    MemoryFolder& folder = pair.target.folder("INBOX");
    folder.messages.clear();
    folder.uid_next = Uid{1};
    CHECK(pair.dry().messages().pending == 4);
    CHECK(pair.observer.said("UIDNEXT went back; its messages would be matched anew"));
  }
  CHECK(pair.dry().deleted() == 0);
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().copied == 4);
  CHECK(ledger.deleted() == 0);
}

TEST_CASE("what a target does not tell in its listing does not make a dry run take it for another") {
  MemoryOptions silent;
  silent.list_numbers = false;
  Pair pair({}, silent);
  pair.options.mirror_deletions = true;
  pair.fill("INBOX", 5);
  pair.run();
  pair.source.folder("INBOX").remove(pair.source.folder("INBOX").messages[0].uid);
  pair.options.dry_run = true;
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().present == 4);
  CHECK(ledger.deleted() == 1);
}

TEST_CASE("a dry run counts what has crossed as due where the source gave its UIDs to others") {
  Crossed pair(5, GENERATE(MemoryOptions{}, telling()));
  MemoryFolder& folder = pair.source.folder("INBOX");
  for (MemoryMessage& message : folder.messages) message.bytes = letter("another " + message.bytes);
  for (MemoryMessage& message : folder.messages) message.date->seconds += 1000;
  pair.fill("INBOX", 1, "new");
  CHECK(pair.dry().messages().pending == 6);
  CHECK(pair.run().messages().copied == 6);
}
