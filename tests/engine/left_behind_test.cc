// What --after-copy leaves at the source because it has no copy for all one can tell: it is named,
// remains a failure until the user decides, and leaves in no other way.
#include "engine/removal/left_behind.h"

#include "engine/proof/verify.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

Task<FolderRecord> inbox_of(Journal& journal) {
  const AccountId account = co_await journal.account("ann", "source", "target");
  const FolderName inbox = FolderName::parse("INBOX");
  co_return co_await journal.folder(account, inbox, inbox);
}

struct LeftPair : Pair {
  using Pair::Pair;

  std::vector<FailureRow> failures() {
    const auto read = [this]() -> Task<std::vector<FailureRow>> {
      const FolderRecord inbox = co_await inbox_of(*journal);
      co_return co_await journal->failures(inbox.id);
    };
    return block_on(executor, read());
  }

  std::size_t rows() {
    const auto read = [this]() -> Task<std::vector<MessageRow>> {
      const FolderRecord inbox = co_await inbox_of(*journal);
      co_return co_await journal->rows(inbox.id, MessageKey(), 1000);
    };
    return block_on(executor, read()).size();
  }

  /// As `failed --accept` does.
  void accept() {
    const auto write = [this]() -> Task<void> {
      const FolderRecord inbox = co_await inbox_of(*journal);
      co_await let_go(*journal, inbox.id);
      co_await journal->accept_failures(inbox.id);
    };
    block_on(executor, write());
  }

  Ledger retry() {
    options.only_failed = true;
    const Ledger ledger = run();
    options.only_failed = false;
    return ledger;
  }

  std::size_t at_source() { return source.folder("INBOX").messages.size(); }

  std::size_t warnings() {
    return static_cast<std::size_t>(std::ranges::count_if(observer.notes, [](const auto& note) {
      return note.find("at the source") != std::string::npos;
    }));
  }
};

/// Five have crossed; of the first two the copies have been filed away, and none has left yet.
struct Filed : LeftPair {
  explicit Filed(MemoryOptions of_source) : LeftPair(std::move(of_source)) {
    fill("INBOX", 5);
    run();
    for (int i = 0; i < 2; ++i) {
      MemoryFolder& there = target.folder("INBOX");
      there.remove(there.messages.at(0).uid);
    }
    options.remove_after = std::chrono::days(0);
  }
};

/// One is on the target already, and another that only looks like it.
struct Looking : LeftPair {
  explicit Looking(MemoryOptions of_source) : LeftPair(std::move(of_source)) {
    for (const char* text : {"here", "gone"}) {
      add("INBOX", letter(text, text));
      target.folder("INBOX").add(letter(text, "gone"), {}, InternalDate{1'000'000, 60});
    }
    options.remove_after = std::chrono::days(0);
  }
};

}  // namespace

TEST_CASE("what is left at the source for want of a copy is named once a run, and is a failure") {
  Filed pair(GENERATE(pop3(), modern()));
  for (int i = 0; i < 3; ++i) {
    pair.observer.notes.clear();
    const Ledger ledger = pair.run();
    CHECK(ledger.outcome == Outcome::partial);
    CHECK(ledger.left_at_source() == 2);
    CHECK(ledger.messages().present == (i == 0 ? 5 : 2));
    CHECK(pair.warnings() == 1);
    CHECK((pair.observer.said("(UID 1, 2)") || pair.observer.said("(UIDL uidl-1, uidl-2)")));
    const std::vector<FailureRow> failures = pair.failures();
    REQUIRE(failures.size() == 2);
    for (const FailureRow& failure : failures) {
      CHECK(failure.left == LeftBecause::copy_gone);
      CHECK(failure.run.value == ledger.run);
    }
  }
  CHECK(pair.at_source() == 2);
}

TEST_CASE("what was left behind leaves once the user says that its copy is where it should be") {
  Filed pair(GENERATE(pop3(), modern()));
  pair.run();
  pair.accept();
  CHECK(pair.failures().empty());
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.removed() == 2);
  CHECK(pair.at_source() == 0);
  CHECK(pair.target.appended == 5);
}

TEST_CASE("retry sends what was left behind once more, and then it leaves") {
  Filed pair(GENERATE(pop3(), modern()));
  pair.run();
  const bool at_once = GENERATE(false, true);
  if (!at_once) pair.options.remove_after.reset();
  const Ledger again = pair.retry();
  CHECK(again.messages().copied == 2);
  CHECK(again.removed() == (at_once ? 2 : 0));
  CHECK(pair.failures().empty());
  CHECK(pair.on_target("INBOX") == 5);
  pair.options.remove_after = std::chrono::days(0);
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.at_source() == 0);
}

TEST_CASE("what crosses again by a retry that is cut short crosses once") {
  Filed pair(modern());
  pair.run();
  pair.options.retries = 0;
  MemoryStop stop;
  stop.after = 1;
  stop.fate = GENERATE(MemoryStop::Fate::none, MemoryStop::Fate::prefix, MemoryStop::Fate::whole);
  pair.target.faults.append_stops.push_back(stop);
  CHECK(pair.retry().outcome == Outcome::interrupted);
  pair.run();
  CHECK(pair.on_target("INBOX") == 5);
  CHECK(pair.at_source() == 0);
}

TEST_CASE("an original that the target only has a look-alike of is a failure, and retry sends it") {
  Looking pair(GENERATE(pop3(), modern()));
  const Ledger ledger = pair.run();
  CHECK(ledger.removed() == 1);
  CHECK(ledger.left_at_source() == 1);
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(pair.observer.said("not the same byte for byte"));
  CHECK(pair.retry().messages().copied == 1);
  CHECK(pair.at_source() == 0);
  CHECK(pair.on_target("INBOX") == 3);
  CHECK(pair.target.folder("INBOX").messages.back().bytes == letter("here", "here"));
}

TEST_CASE("an original that the target only has a look-alike of may be let go") {
  Looking pair(GENERATE(pop3(), modern()));
  pair.run();
  pair.accept();
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.at_source() == 0);
  CHECK(pair.on_target("INBOX") == 2);
}

TEST_CASE("accepting lets nothing go that cannot be proved to have been copied") {
  LeftPair pair(modern());
  pair.options.remove_after = std::chrono::days(7);
  pair.fill("INBOX", 2);
  for (const MemoryMessage& message : pair.source.folder("INBOX").messages)
    pair.target.folder("INBOX").add(message.bytes, message.flags, message.date);
  pair.run();
  pair.source.folder("INBOX").messages.at(0).date->seconds += 60;
  pair.source.faults.unreadable[{FolderName::parse("INBOX"), Uid{1}}] = "NO not now";
  ++pair.source.folder("INBOX").highest_modseq;
  pair.executor.set_wall_clock(pair.executor.wall_clock() + std::chrono::hours(24 * 8));
  CHECK(pair.run().left_at_source() == 1);
  pair.accept();
  pair.observer.notes.clear();
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.left_at_source() == 0);
  CHECK(pair.warnings() == 0);
  CHECK(pair.at_source() == 1);
}

TEST_CASE("what was left behind and has its copy back is a failure no longer") {
  Filed pair(modern());
  pair.run();
  for (int i = 0; i < 2; ++i) {
    const MemoryMessage& original = pair.source.folder("INBOX").messages.at(0);
    MemoryMessage copy = original;
    copy.uid = Uid{original.uid.value};
    std::vector<MemoryMessage>& there = pair.target.folder("INBOX").messages;
    there.insert(there.begin() + i, copy);
    pair.run();
  }
  CHECK(pair.failures().empty());
  CHECK(pair.at_source() == 0);
}

TEST_CASE("what was left behind and is gone from the source is a failure no longer, and known") {
  Filed pair(GENERATE(pop3(), modern()));
  pair.run();
  MemoryFolder& here = pair.source.folder("INBOX");
  while (!here.messages.empty()) here.remove(here.messages.front().uid);
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.failures().empty());
  CHECK(pair.rows() == 5);
}

TEST_CASE("a folder that is passed over tells what was left behind in it") {
  Filed pair(modern());
  pair.options.remove_after = std::chrono::days(7);
  pair.run();
  pair.source.calls.clear();
  const Ledger ledger = pair.run();
  CHECK(pair.source.calls["select"] == 0);
  CHECK(ledger.left_at_source() == 2);
  CHECK(ledger.outcome == Outcome::partial);
}

TEST_CASE("what was left behind is no failure where nothing is to leave") {
  Filed pair(modern());
  pair.run();
  pair.options.remove_after.reset();
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.failures().size() == 2);
}

TEST_CASE("a dry run does not tell that what was left behind would be removed") {
  Filed pair(modern());
  pair.run();
  pair.options.dry_run = true;
  CHECK(pair.run().removed() == 0);
}

TEST_CASE("what was left behind is proved by its row, and counts once") {
  Filed pair(modern());
  pair.run();
  const auto from = make_memory_source(pair.source);
  const auto to = make_memory_target(pair.target);
  for (const auto against : {VerifyAgainst::source, VerifyAgainst::journal}) {
    const VerifyReport report =
        block_on(pair.executor, verify_account({*from, *to, *pair.journal, pair.observer},
                                               {"ann", "source", "target"}, CrossingOptions{},
                                               VerifyLevel::header, against, pair.stop));
    CHECK(report.messages().seen == 5);
    CHECK(report.messages().missing == 2);
    CHECK(report.messages().refused == 0);
  }
}

TEST_CASE("a POP3 original whose copy was there before and was filed away since leaves") {
  LeftPair pair(pop3());
  pair.options.remove_after = std::chrono::days(7);
  pair.fill("INBOX", 3);
  for (const MemoryMessage& message : pair.source.folder("INBOX").messages)
    pair.target.folder("INBOX").add(message.bytes, message.flags, message.date);
  pair.run();
  MemoryFolder& there = pair.target.folder("INBOX");
  const int filed = GENERATE(1, 3);
  for (int i = 0; i < filed; ++i) there.remove(there.messages.front().uid);
  pair.executor.set_wall_clock(pair.executor.wall_clock() + std::chrono::hours(24 * 8));
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.removed() == 3);
}

TEST_CASE("under a made-up name what was there before leaves later by the bytes of its copy") {
  LeftPair pair(pop3());
  pair.options.remove_after = std::chrono::days(7);
  for (const char* id : {"a", "b"}) {
    pair.add("INBOX", letter(id));
    pair.target.folder("INBOX").add(letter(id), {}, InternalDate{1'000'000, 60});
    pair.source.folder("INBOX").messages.back().uidl = std::string(" hash-") + id;
  }
  pair.run();
  std::string& other = pair.source.folder("INBOX").messages.at(1).bytes;
  other.replace(other.find("\r\n\r\ntext"), 8, "\r\n\r\ntaxt");  // the same header, another body
  pair.executor.set_wall_clock(pair.executor.wall_clock() + std::chrono::hours(24 * 8));
  CHECK(pair.run().removed() == 1);
  REQUIRE(pair.at_source() == 1);
  CHECK(pair.source.folder("INBOX").messages.at(0).uidl == " hash-b");
}
