// Undo removes exactly what one run appended, and never the only copy.

#include "engine/proof/undo.h"

#include <catch2/catch.hpp>

#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

struct Undoing : Pair {
  using Pair::Pair;
  UndoReport undo(std::int64_t run) {
    const auto from = make_memory_source(source);
    const auto to = make_memory_target(target);
    const UndoReport report =
        block_on(executor, undo_run({*from, *to, *journal, observer}, {"ann", "source", "target"},
                                    RunId{run}, options, stop));
    CHECK(report.appended() == report.removed() + report.kept() + report.gone() + report.pending());
    return report;
  }
  MemoryFolder& there() { return target.folder("INBOX"); }
};

std::vector<std::string> reasons(const UndoReport& report) {
  std::vector<std::string> out;
  for (const UndoneFolder& folder : report.folders)
    for (const KeptMessage& message : folder.kept)
      out.push_back(message.key.to_string() + ": " + message.why);
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("undo removes what the run appended, and nothing else; another run copies it again") {
  Undoing pair;
  pair.fill("INBOX", 2, "first");
  const std::int64_t first = pair.run().run;
  pair.fill("INBOX", 3, "second");
  pair.there().add(letter("foreign"));
  const std::int64_t second = pair.run().run;
  REQUIRE(pair.on_target("INBOX") == 6);
  const UndoReport report = pair.undo(second);
  CHECK(report.removed() == 3);
  CHECK(pair.on_target("INBOX") == 3);
  CHECK(pair.undo(second).appended() == 0);
  const Ledger again = pair.run();
  CHECK(again.messages().copied == 3);
  CHECK(again.messages().present == 2);
  CHECK(pair.on_target("INBOX") == 6);
  CHECK(pair.undo(first).removed() == 2);
}

TEST_CASE("a dry run of undo tells the same and removes nothing") {
  Undoing pair;
  pair.fill("INBOX", 3);
  const std::int64_t run = pair.run().run;
  pair.options.dry_run = true;
  CHECK(pair.undo(run).removed() == 3);
  CHECK(pair.on_target("INBOX") == 3);
  pair.options.dry_run = false;
  CHECK(pair.undo(run).removed() == 3);
}

TEST_CASE("undo keeps what people changed, and what is gone from the source") {
  Undoing pair;
  pair.fill("INBOX", 6);
  const std::int64_t run = pair.run().run;
  pair.there().find(Uid{1})->flags.add("\\Answered");
  pair.there().find(Uid{2})->flags = {};
  pair.there().find(Uid{3})->bytes = letter("another");
  pair.there().remove(Uid{4});
  pair.source.folder("INBOX").remove(Uid{5});
  const UndoReport report = pair.undo(run);
  CHECK(report.removed() == 1);
  CHECK(report.gone() == 1);
  CHECK(reasons(report) == Lines{"UID 1: its flags were changed since",
                                 "UID 2: its flags were changed since",
                                 "UID 5: the source no longer has it: this may be the only copy",
                                 "UID 3: it is not what was copied"});
}

TEST_CASE("undo knows what it appended though the target tells sizes and dates of its own") {
  MemoryOptions options;
  options.traits.regenerates = GENERATE(false, true);
  Undoing pair({}, options);
  pair.fill("INBOX", 4);
  const std::int64_t run = pair.run().run;
  for (MemoryMessage& message : pair.there().messages) {
    message.listed_bytes = message.bytes.size() + 37;
    message.date = InternalDate{5'000'000, 0};
    if (options.traits.regenerates) message.bytes += "made anew";
  }
  pair.there().messages.front().bytes = letter("another");
  const UndoReport report = pair.undo(run);
  CHECK(report.removed() == 3);
  CHECK(reasons(report) == Lines{"UID 1: it is not what was copied"});
  CHECK(pair.on_target("INBOX") == 1);
  CHECK(pair.run().messages().copied == 4);  // that other one is no copy
}

TEST_CASE("undo leaves adopted mail alone") {
  Undoing pair;
  pair.fill("INBOX", 2);
  pair.there().add(letter("m0"), Flags::parse("\\Seen"), InternalDate{1'000'000, 60});
  const std::int64_t run = pair.run().run;
  const UndoReport report = pair.undo(run);
  CHECK(report.appended() == 1);
  CHECK(report.removed() == 1);
  CHECK(pair.on_target("INBOX") == 1);
}

TEST_CASE("a keyword that the target never took is no change by people") {
  MemoryOptions plain;
  plain.keywords = std::vector<std::string>{};
  Undoing pair({}, plain);
  pair.add("INBOX", letter("m"), "\\Seen $Odd");
  const std::int64_t run = pair.run().run;
  CHECK(pair.undo(run).removed() == 1);
}

TEST_CASE("a target without UIDPLUS, and one that was renumbered, lose nothing to undo") {
  SECTION("no UIDPLUS") {
    MemoryOptions plain;
    plain.traits.uidplus = false;
    Undoing pair({}, plain);
    pair.fill("INBOX", 2);
    const UndoReport report = pair.undo(pair.run().run);
    REQUIRE(report.error);
    CHECK(report.error->kind() == ErrorKind::usage);
    CHECK(pair.on_target("INBOX") == 2);
  }
  SECTION("renumbered") {
    const bool at_source = GENERATE(true, false);
    Undoing pair;
    pair.fill("INBOX", 2);
    const std::int64_t run = pair.run().run;
    (at_source ? pair.source : pair.target).renumber(FolderName::parse("INBOX"), 99);
    CHECK(pair.undo(run).kept() == 2);
    CHECK(pair.on_target("INBOX") == 2);
  }
}

TEST_CASE("a line that is lost at any call of undo leaves neither a loss nor a double") {
  const int call = GENERATE(range(0, 12));
  const bool at_target = GENERATE(true, false);
  const bool for_good = GENERATE(true, false);
  Undoing pair;
  pair.options.retries = for_good ? 0 : 5;
  pair.fill("INBOX", 4);
  const std::int64_t run = pair.run().run;
  MemoryServer& server = at_target ? pair.target : pair.source;
  int calls = 0;
  server.faults.on_call = [&](MemoryServer&, std::string_view) {
    if (calls++ == call) throw Error(ErrorKind::transient, "the line was cut");
  };
  const UndoReport report = pair.undo(run);
  server.faults.on_call = nullptr;
  if (!for_good) CHECK(report.removed() == 4);
  pair.options.retries = 5;
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.equal());
  CHECK(pair.run().messages().copied == 0);
}

TEST_CASE("a refused removal leaves the journal as it was") {
  Undoing pair;
  pair.fill("INBOX", 2);
  const std::int64_t run = pair.run().run;
  pair.target.faults.on_call = [](MemoryServer&, std::string_view call) {
    if (call == "expunge") throw Error(ErrorKind::rejected, "NO permission denied");
  };
  const UndoReport refused = pair.undo(run);
  REQUIRE(refused.folders.size() == 1);
  CHECK(refused.folders[0].error);
  CHECK(refused.pending() == 2);
  pair.target.faults.on_call = nullptr;
  CHECK(pair.undo(run).removed() == 2);
}

TEST_CASE("what a refused removal left is as it was, and what it took is counted") {
  Undoing pair;
  pair.fill("INBOX", 3);
  pair.add("INBOX", letter("leaving"), "\\Deleted");
  const std::int64_t run = pair.run().run;
  // One set went; the next was marked, and not expunged.
  pair.target.faults.on_call = [](MemoryServer& server, std::string_view call) {
    if (call != "expunge") return;
    MemoryFolder& folder = server.folder("INBOX");
    folder.remove(Uid{1});
    for (const std::uint32_t uid : {2u, 3u}) folder.find(Uid{uid})->flags.add("\\Deleted");
    throw Error(ErrorKind::rejected, "NO permission denied");
  };
  const UndoReport refused = pair.undo(run);
  CHECK(refused.removed() == 1);
  CHECK(refused.pending() == 3);
  CHECK(pair.there().find(Uid{2})->flags.to_string() == "\\Seen");
  CHECK(pair.there().find(Uid{4})->flags.to_string() == "\\Deleted");
  pair.target.faults.on_call = nullptr;
  CHECK(pair.undo(run).removed() == 3);
  CHECK(pair.run().messages().copied == 4);
}

TEST_CASE("what an undo that ended for good marked is finished by another, or as it was") {
  const int gone = GENERATE(0, 1);
  const bool no_flags = GENERATE(false, true);
  const bool copy_first = GENERATE(true, false);
  MemoryOptions from;
  from.uidl_keys = no_flags;
  Undoing pair(from);
  pair.options.retries = 0;
  pair.fill("INBOX", 4);
  const std::int64_t run = pair.run().run;
  // UID STORE was done, and UID EXPUNGE in part; then the line was cut.
  pair.target.faults.on_call = [gone](MemoryServer& server, std::string_view call) {
    if (call != "expunge") return;
    MemoryFolder& folder = server.folder("INBOX");
    for (MemoryMessage& message : folder.messages) message.flags.add("\\Deleted");
    for (int i = 0; i < gone; ++i) folder.remove(folder.messages.front().uid);
    throw Error(ErrorKind::transient, "the line was cut");
  };
  CHECK(pair.undo(run).pending() == 4);
  pair.target.faults.on_call = nullptr;
  if (copy_first) {
    const Ledger ledger = pair.run();
    CHECK(ledger.messages().copied == static_cast<std::uint64_t>(gone));
    CHECK(pair.on_target("INBOX") == 4);
    CHECK(std::ranges::none_of(pair.there().messages, [](const MemoryMessage& message) {
      return (message.flags.system & Flags::deleted) != 0;
    }));
  }
  CHECK(pair.undo(run).removed() == static_cast<std::uint64_t>(4 - gone));
  CHECK(pair.on_target("INBOX") == static_cast<std::size_t>(copy_first ? gone : 0));
}

TEST_CASE("undo of a run that died settles first what that run was sending") {
  const MemoryStop::Fate fate = GENERATE(MemoryStop::Fate::whole, MemoryStop::Fate::prefix);
  Undoing pair;
  pair.options.retries = 0;
  pair.fill("INBOX", 25);
  pair.there().add(letter("foreign"));
  pair.target.faults.append_stops.push_back({.after = 15, .fate = fate});
  REQUIRE(pair.run().outcome == Outcome::interrupted);
  REQUIRE(pair.on_target("INBOX") > 11);
  pair.options.dry_run = true;
  const UndoReport plan = pair.undo(1);
  CHECK(plan.removed() == 10);
  CHECK(plan.pending() == 10);
  pair.options.dry_run = false;
  const UndoReport report = pair.undo(1);
  CHECK(report.pending() == 0);
  CHECK_FALSE(report.error);
  CHECK(pair.on_target("INBOX") == 1);
  pair.options.retries = 5;
  CHECK(pair.run().messages().copied == 25);
}

TEST_CASE("an unknown run is wrong usage") {
  Undoing pair;
  pair.fill("INBOX", 1);
  pair.run();
  CHECK_THROWS_AS(pair.undo(99), Error);
}

TEST_CASE("undo keeps a copy whose UID at the source names another message now") {
  Undoing pair;
  pair.fill("INBOX", 3);
  const std::int64_t run = pair.run().run;
  MemoryMessage& restored = *pair.source.folder("INBOX").find(Uid{2});
  restored.bytes = letter("another", "as after a backup was restored");
  const UndoReport report = pair.undo(run);
  CHECK(report.removed() == 2);
  CHECK(reasons(report) == Lines{"UID 2: the source no longer has it: this may be the only copy"});
}

TEST_CASE("undo keeps a copy whose UIDL names another message now, even of the same size") {
  MemoryOptions pop3;
  pop3.uidl_keys = true;
  Undoing pair(pop3);
  pair.fill("INBOX", 3);
  const std::int64_t run = pair.run().run;
  MemoryMessage& other = *pair.source.folder("INBOX").find(Uid{2});
  const std::size_t size = other.bytes.size();
  other.bytes = letter("x1");
  REQUIRE(other.bytes.size() == size);
  const UndoReport report = pair.undo(run);
  CHECK(report.removed() == 2);
  CHECK(report.kept() == 1);
}
