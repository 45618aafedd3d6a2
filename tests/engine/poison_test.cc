// Messages on which a server breaks the line, and folders on which it does.
#include "engine/crossing/poison.h"

#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

const Error kReset(ErrorKind::transient, "the server closed the connection");

bool is_poison(const MemoryMessage& message) {
  return message.bytes.find("poison") != std::string::npos;
}

void break_on_fetch(Pair& pair) {
  pair.source.faults.on_fetch = [](const FolderName&, const MemoryMessage& message) {
    if (is_poison(message)) throw kReset;
  };
}

std::vector<std::string> refused(Pair& pair, const char* folder) {
  std::vector<std::string> texts;
  const AccountId account =
      block_on(pair.executor, pair.journal->account("ann", "source", "target"));
  const FolderName name = FolderName::parse(folder);
  const FolderRecord record = block_on(pair.executor, pair.journal->folder(account, name, name));
  for (const FailureRow& row : block_on(pair.executor, pair.journal->failures(record.id)))
    texts.push_back(row.key.to_string() + ": " + row.text);
  return texts;
}

}  // namespace

TEST_CASE("a poison message is closed in on by eighths, and found guilty twice alone") {
  int in_a_row = 0;
  PoisonHunt hunt(in_a_row);
  const MessageKey key(Uid{7});
  int attempts = 0;
  for (std::size_t most = 1'000'000; !hunt.condemned(); ++attempts) {
    most = std::min(most, hunt.at_once());
    REQUIRE(hunt.failed(kReset, false, {most, key}));
  }
  CHECK(attempts == 6);
  CHECK(hunt.condemned()->key == key);
  CHECK(hunt.at_once() > 1'000'000);
}

TEST_CASE("only a line that breaks while a message is under way says something of a message") {
  int in_a_row = 0;
  PoisonHunt hunt(in_a_row);
  const MessageKey key(Uid{7});
  CHECK(!hunt.failed(Error(ErrorKind::throttled, "slow down"), false, {1, key}));
  CHECK(!hunt.failed(Error(ErrorKind::unreachable, "no route"), false, {1, key}));
  CHECK(!hunt.failed(kReset, false, {}));
  CHECK(!hunt.condemned());
}

TEST_CASE("one alone that breaks the line once, or after another, is not guilty") {
  int in_a_row = 0;
  PoisonHunt hunt(in_a_row);
  hunt.failed(kReset, false, {1, MessageKey(Uid{1})});
  hunt.failed(kReset, false, {1, MessageKey(Uid{2})});
  hunt.failed(kReset, true, {1, MessageKey(Uid{2})});
  hunt.failed(kReset, false, {1, MessageKey(Uid{2})});
  CHECK(!hunt.condemned());
}

TEST_CASE("after three in a row a witness must cross, or it is the server") {
  int in_a_row = 0;
  PoisonHunt hunt(in_a_row);
  for (std::uint32_t uid = 1; uid <= 3; ++uid) {
    hunt.failed(kReset, false, {1, MessageKey(Uid{uid})});
    hunt.failed(kReset, false, {1, MessageKey(Uid{uid})});
    CHECK(hunt.condemned().has_value());
  }
  CHECK(hunt.failed(kReset, false, {1, MessageKey(Uid{4})}));
  CHECK(!hunt.condemned());
  CHECK(hunt.wants_witness());
  CHECK(hunt.at_once() == 1);
  const bool crossed = GENERATE(true, false);
  CHECK(hunt.failed(kReset, crossed, {1, MessageKey(Uid{4})}) == crossed);
  CHECK(!hunt.wants_witness());
  CHECK(hunt.failed(kReset, false, {1, MessageKey(Uid{4})}) == crossed);
  CHECK(!hunt.wants_witness());
}

TEST_CASE("many poison messages side by side are all passed by, in one run") {
  Pair pair;
  pair.options.retries = 1;
  pair.fill("INBOX", 5, "before");
  for (int i = 0; i < 8; ++i) pair.add("INBOX", letter("poison" + std::to_string(i)));
  pair.fill("INBOX", 40, "after");
  break_on_fetch(pair);
  const Ledger ledger = pair.run();
  CHECK(!ledger.error);
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(ledger.messages().copied == 45);
  CHECK(ledger.messages().rejected == 8);
}

TEST_CASE("a message on which the source breaks the line is passed by, and the rest crosses") {
  Pair pair;
  pair.options.retries = 1;
  pair.fill("INBOX", 30, "before");
  pair.add("INBOX", letter("poison"));
  pair.fill("INBOX", 300, "after");
  pair.add("INBOX", letter("another-poison"));
  break_on_fetch(pair);
  const Ledger ledger = pair.run();
  for (const std::string& note : pair.observer.notes) UNSCOPED_INFO(note);
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(!ledger.error);
  CHECK(ledger.messages().copied == 330);
  CHECK(ledger.messages().rejected == 2);
  CHECK(pair.on_target("INBOX") == 330);
  CHECK(pair.source.calls["connect"] <= 16);
  const std::vector<std::string> texts = refused(pair, "INBOX");
  REQUIRE(texts.size() == 2);
  CHECK(texts[0] ==
        "UID 31: the line broke each time that only this message was under way: the server closed "
        "the connection");

  // What failed before is tried again, after all that is new; and crosses once the server can.
  pair.fill("INBOX", 5, "new");
  CHECK(pair.run().messages().copied == 5);
  pair.source.faults.on_fetch = {};
  const Ledger healed = pair.run();
  CHECK(healed.outcome == Outcome::complete);
  CHECK(pair.equal());
}

TEST_CASE("a message on which the target breaks the line is passed by, and the rest crosses") {
  Pair pair;
  pair.options.retries = 1;
  pair.fill("INBOX", 25, "before");
  pair.add("INBOX", letter("poison"));
  pair.fill("INBOX", 25, "after");
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (is_poison(message)) throw kReset;
    return std::nullopt;
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(ledger.messages().copied == 50);
  CHECK(ledger.messages().rejected == 1);
  CHECK(pair.on_target("INBOX") == 50);
  CHECK(pair.target.calls["connect"] <= 10);
}

TEST_CASE("a message that the target stores before it breaks the line is found, not given up") {
  Pair pair;
  pair.add("INBOX", letter("only"));
  for (int i = 0; i < 4; ++i) {
    MemoryStop stop;
    stop.fate = MemoryStop::Fate::whole;
    pair.target.faults.append_stops.push_back(stop);
  }
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(pair.on_target("INBOX") == 1);
}

TEST_CASE("a folder on which the server breaks every line does not keep the others from crossing") {
  Pair pair;
  pair.options.retries = 2;
  pair.fill("Broken", 20);
  pair.fill("Sound", 10);
  pair.source.faults.on_fetch = [](const FolderName& folder, const MemoryMessage&) {
    if (folder == FolderName::parse("Broken")) throw kReset;
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(!ledger.error);
  CHECK(ledger.folders_failed() == 1);
  CHECK(pair.on_target("Sound") == 10);
  CHECK(pair.on_target("Broken") == 0);
}

TEST_CASE("a server that breaks every line stops the account, to be gone on with later") {
  Pair pair;
  pair.options.retries = 2;
  pair.fill("A", 3);
  pair.fill("B", 3);
  pair.fill("C", 3);
  pair.source.faults.on_call = [](MemoryServer&, std::string_view call) {
    if (call == "fetch") throw kReset;
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::interrupted);
  REQUIRE(ledger.error);
  CHECK(ledger.error->kind() == ErrorKind::transient);
  pair.source.faults = {};
  CHECK(pair.run().outcome == Outcome::complete);
  CHECK(pair.equal());
}

TEST_CASE("a server that has no place for a further session gets on with fewer") {
  MemoryOptions small;
  small.max_sessions = 8;
  Pair pair(small, {});
  pair.options.sessions = 4;
  for (const char* folder : {"a", "b", "c", "d"}) pair.fill(folder, 3, folder);
  int heard = 0;
  pair.source.faults.on_call = [&heard](MemoryServer&, std::string_view call) {
    if (call == "select" && ++heard > 1 && heard < 4)
      throw Error(ErrorKind::throttled, "Too many simultaneous connections");
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(pair.observer.said("going on with fewer sessions"));
  CHECK(pair.equal());
}
