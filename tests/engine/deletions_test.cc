// Deletions are mirrored at the end of a run, and only if nothing in it gave a reason for doubt.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

/// Two folders, carried; from one of them messages have gone.
struct Gone : Pair {
  explicit Gone(MemoryOptions source_options = {}) : Pair(std::move(source_options)) {
    options.mirror_deletions = true;
    fill("One", 8, "one");
    fill("Two", 8, "two");
    run();
    MemoryFolder& two = source.folder("Two");
    two.remove(two.messages[0].uid);
    two.remove(two.messages[0].uid);
  }
  bool held() const { return observer.said("nothing is deleted on the target in this run"); }
};

/// Without numbers in its listing, only SELECT tells of a UIDVALIDITY.
MemoryOptions silent() {
  MemoryOptions options;
  options.list_numbers = false;
  return options;
}

}  // namespace

TEST_CASE("a UIDVALIDITY that only SELECT tells stops deletions in all folders, for one run") {
  Gone pair(silent());
  const char* changed = GENERATE("One", "Zoe");
  if (changed == std::string("Zoe")) {
    pair.fill("Zoe", 3, "zoe");
    pair.run();
    pair.source.folder("Two").remove(pair.source.folder("Two").messages[0].uid);
  }
  const std::size_t before = pair.on_target("Two");
  pair.source.renumber(FolderName::parse(changed), 9);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.held());
  CHECK(pair.on_target("Two") == before);
  CHECK(pair.run().deleted() > 0);
}

TEST_CASE("a target folder that was replaced stops deletions in all folders, for one run") {
  Gone pair;
  pair.target.renumber(FolderName::parse("One"), 9);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.held());
  CHECK(pair.run().deleted() == 2);
}

TEST_CASE("a folder that is missing stops deletions though it never was whole") {
  Pair pair;
  pair.options.mirror_deletions = true;
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    return message.bytes.find("<one3@") != std::string::npos ? std::optional("NO not this one")
                                                             : std::nullopt;
  };
  pair.fill("One", 8, "one");
  pair.fill("Two", 8, "two");
  pair.run();
  pair.source.remove_folder(FolderName::parse("One"));
  MemoryFolder& two = pair.source.folder("Two");
  two.remove(two.messages[0].uid);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.observer.said("folder One is missing from the source; nothing is deleted"));
  CHECK(pair.run().deleted() == 1);
}

TEST_CASE("a folder that can no longer be opened stops deletions in all others") {
  Gone pair;
  int selects = 0;
  pair.add("One", letter("new"));
  pair.source.faults.on_call = [&](MemoryServer&, std::string_view call) {
    if (call == "select" && ++selects == 1)
      throw Error(ErrorKind::rejected, "NO not today", "memory");
  };
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.held());
  pair.source.faults.on_call = nullptr;
  CHECK(pair.run().deleted() == 2);
}

TEST_CASE("names without a UIDVALIDITY are mirrored never") {
  Gone pair;
  pair.source.folder("Two").uid_validity = 0;
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.on_target("Two") == 8);
}

TEST_CASE("what has been gone for long makes a folder no larger") {
  Pair pair;
  pair.fill("INBOX", 300, "first");
  pair.options.remove_after = std::chrono::days(0);
  pair.run();
  pair.options.remove_after.reset();
  pair.options.mirror_deletions = true;
  pair.fill("INBOX", 25, "later");
  pair.run();
  pair.source.folder("INBOX").messages.clear();
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(ledger.deleted() == 0);
  CHECK(pair.on_target("INBOX") == 325);
}

TEST_CASE("a deletion that is mirrored leaves a folder with nothing to do") {
  MemoryOptions options;
  options.condstore = true;
  Gone pair(options);
  CHECK(pair.run().deleted() == 2);
  pair.source.calls.clear();
  pair.run();
  CHECK(pair.source.calls["select"] == 0);
}

TEST_CASE("a line that is lost while deletions are mirrored is connected again") {
  Gone pair;
  int expunges = 0;
  pair.target.faults.on_call = [&](MemoryServer&, std::string_view call) {
    if (call == "expunge" && ++expunges == 1)
      throw Error(ErrorKind::transient, "the connection was lost", "memory");
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.deleted() == 2);
  CHECK(pair.on_target("Two") == 6);
}

TEST_CASE(
    "more than a tenth of an account needs to be forced, though it is little in each folder") {
  Pair pair;
  pair.options.mirror_deletions = true;
  for (const char* folder : {"One", "Two", "Three"}) pair.fill(folder, 30, folder);
  pair.run();
  for (const char* name : {"One", "Two", "Three"}) {
    MemoryFolder& folder = pair.source.folder(name);
    for (int i = 0; i < 8; ++i) folder.remove(folder.messages[0].uid);
  }
  for (int i = 0; i < 2; ++i) {
    const Ledger held = pair.run();
    CHECK(held.deleted() == 0);
    CHECK(held.outcome == Outcome::partial);
    CHECK(held.folders_failed() == 3);
  }
  pair.options.force_deletions = true;
  CHECK(pair.run().deleted() == 24);
}

TEST_CASE("a deletion that came while the target was put back to before is mirrored later") {
  MemoryOptions options;
  options.condstore = true;
  Gone pair(options);
  MemoryFolder& there = pair.target.folder("Two");
  if (GENERATE(false, true)) {
    pair.target.renumber(there.name, 9);
  } else {  // the newest message is lost with its UID
    there.uid_next = there.messages.back().uid;
    there.messages.pop_back();
  }
  CHECK(pair.run().deleted() == 0);
  CHECK(pair.held());
  CHECK(pair.run().deleted() == 2);
  CHECK(pair.equal());
  pair.source.calls.clear();
  pair.run();
  CHECK(pair.source.calls["select"] == 0);
}
