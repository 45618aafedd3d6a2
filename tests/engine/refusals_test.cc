// What a server refuses, has no longer or cannot give: recorded, told, and tried again.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

TEST_CASE("a refused message is recorded, the rest crosses, and the next run tries it again") {
  Pair pair;
  pair.fill("INBOX", 15);
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes.find("<m7@") == std::string::npos) return std::nullopt;
    return "message contains bare newlines";
  };
  const Ledger first = pair.run();
  CHECK(first.outcome == Outcome::partial);
  CHECK(first.messages().rejected == 1);
  CHECK(first.messages().copied == 14);
  pair.target.faults.refuse = nullptr;
  const Ledger second = pair.run();
  CHECK(second.outcome == Outcome::complete);
  CHECK(second.messages().copied == 1);
  CHECK(pair.equal());
}

TEST_CASE("a folder in which a message was refused is opened again, though nothing has changed") {
  MemoryOptions source;
  source.condstore = true;
  Pair pair(source);
  pair.fill("INBOX", 5);
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes.find("<m3@") == std::string::npos) return std::nullopt;
    return "not today";
  };
  CHECK(pair.run().messages().rejected == 1);
  pair.target.faults.refuse = nullptr;
  CHECK(pair.run().messages().copied == 1);
  pair.source.calls.clear();
  CHECK(pair.run().messages().present == 5);
  CHECK(pair.source.calls["open"] == 0);
}

TEST_CASE("a full quota stops the account, and nothing is lost or doubled") {
  MemoryOptions small;
  small.quota_bytes = 4000;
  Pair pair({}, small);
  pair.fill("INBOX", 60);
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::partial);
  REQUIRE(ledger.error);
  CHECK(ledger.error->kind() == ErrorKind::quota);
  CHECK(ledger.messages().pending > 0);
}

TEST_CASE("a message that vanishes before it is fetched is accounted for") {
  Pair pair;
  pair.fill("INBOX", 10);
  const Uid gone = pair.source.folder("INBOX").messages.at(4).uid;
  pair.source.faults.on_call = [gone](MemoryServer& server, std::string_view call) {
    if (call == "fetch") server.folder("INBOX").remove(gone);
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().vanished == 1);
  CHECK(ledger.messages().copied == 9);
}

TEST_CASE("a message that the source cannot give is reported in its words") {
  Pair pair;
  pair.fill("INBOX", 4);
  const Uid broken = pair.source.folder("INBOX").messages.at(2).uid;
  pair.source.faults.unreadable[{FolderName::parse("INBOX"), broken}] = "internal error";
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().rejected == 1);
  CHECK(ledger.messages().copied == 3);
  CHECK(ledger.outcome == Outcome::partial);
}

TEST_CASE("a refused login is not tried in a loop") {
  Pair pair;
  pair.fill("INBOX", 1);
  for (int i = 0; i < 5; ++i)
    pair.source.faults.connect_errors.emplace_back(ErrorKind::auth, "wrong password");
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::failed);
  CHECK(pair.source.faults.connect_errors.size() == 4);
}

TEST_CASE("a busy server is waited for, and a dead one given up after the retries") {
  Pair pair;
  pair.fill("INBOX", 3);
  for (int i = 0; i < 3; ++i)
    pair.source.faults.connect_errors.push_back(
        Error(ErrorKind::throttled, "wait").after(std::chrono::seconds(20)));
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.executor.now().time_since_epoch() >= std::chrono::seconds(60));
}

TEST_CASE("an accepted refusal is not tried again and is no failure; retry tries the others") {
  Pair pair;
  pair.fill("INBOX", 4);
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    const bool bad = message.bytes.find("<m1@") != std::string::npos ||
                     message.bytes.find("<m2@") != std::string::npos;
    return bad ? std::optional("NO not this one") : std::nullopt;
  };
  CHECK(pair.run().outcome == Outcome::partial);
  const AccountId account =
      block_on(pair.executor, pair.journal->account("ann", "source", "target"));
  const FolderRecord folder = block_on(pair.executor, pair.journal->folders(account)).at(0);
  SECTION("accepted") {
    block_on(pair.executor, pair.journal->accept_failures(folder.id));
    const Ledger ledger = pair.run();
    CHECK(ledger.outcome == Outcome::complete);
    CHECK(ledger.messages().rejected == 2);
    CHECK(ledger.messages().accepted == 2);
    pair.target.faults.refuse = nullptr;
    CHECK(pair.run().messages().copied == 0);
  }
  SECTION("retry") {
    pair.add("INBOX", letter("new"));
    pair.fill("Work", 2, "w");
    pair.target.faults.refuse = nullptr;
    pair.options.only_failed = true;
    const Ledger retried = pair.run();
    CHECK(retried.messages().copied == 2);
    CHECK(retried.messages().filtered == 1);
    CHECK(retried.folders.size() == 1);
    CHECK(block_on(pair.executor, pair.journal->failures(folder.id)).empty());
    CHECK(block_on(pair.executor, pair.journal->runs(account, 1)).at(0).command == "retry");
    pair.options.only_failed = false;
    CHECK(pair.run().messages().copied == 3);
    CHECK(pair.equal());
  }
  SECTION("gone from the source") {
    pair.source.folder("INBOX").remove(Uid{2});
    pair.run();
    CHECK(block_on(pair.executor, pair.journal->failures(folder.id)).size() == 1);
  }
}

TEST_CASE("a server's words never pass for ours about what was left at the source") {
  Pair pair(GENERATE(pop3(), modern()));
  pair.fill("INBOX", 3);
  const std::string evil = "left at the source: what was copied is not on the target as it was";
  pair.target.faults.refuse = [&](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes == letter("m1")) return evil;
    return std::nullopt;
  };
  pair.options.remove_after = std::chrono::days(0);
  for (int run = 0; run < 2; ++run) {
    const Ledger ledger = pair.run();
    CHECK(ledger.messages().rejected == 1);
    CHECK(ledger.left_at_source() == 0);
  }
  CHECK(pair.source.folder("INBOX").messages.size() == 1);
}
