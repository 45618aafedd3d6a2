// What goes to a relay: the intent before it, the doubt behind it, the schedule of what is put off.
#include "engine/async/timeout.h"
#include "engine/relay/crossing.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

/// Lives only in this file: what a killed program throws.
struct Killed {};

/// Answers as told; looks into the journal while a message is under way.
class FakeRelay final : public Relay {
 public:
  std::function<RelayResult(const Message&)> answer = [](const Message&) { return Delivered{}; };
  std::function<Task<void>()> before_answer;
  std::function<void()> on_connect = [] {};
  std::vector<std::string> taken;
  std::deque<Error> connect_errors;
  int connects = 0;

  class Session final : public RelaySession {
   public:
    explicit Session(FakeRelay& relay) : relay_(relay) {}
    Task<RelayResult> send(const Message& message) override {
      if (relay_.before_answer) co_await relay_.before_answer();
      RelayResult result = relay_.answer(message);
      if (std::holds_alternative<Delivered>(result) || std::holds_alternative<Undecided>(result)) {
        std::string bytes;
        co_await message.body.write_to([&bytes](std::string_view part) -> Task<void> {
          bytes += part;
          co_return;
        });
        relay_.taken.push_back(std::move(bytes));
      }
      co_return result;
    }
    bool over() const override { return false; }
    std::optional<std::uint64_t> most_bytes() const override { return std::nullopt; }
    Task<void> logout() override { co_return; }

   private:
    FakeRelay& relay_;
  };

  Task<std::unique_ptr<RelaySession>> connect() override {
    ++connects;
    on_connect();
    if (!connect_errors.empty()) {
      Error error = connect_errors.front();
      connect_errors.pop_front();
      throw error;
    }
    co_return std::make_unique<Session>(*this);
  }
  int max_sessions() const override { return 4; }
  std::string describe() const override { return "relay"; }
};

Task<void> accept_failures(Journal& journal) {
  const AccountId account = co_await journal.account("ann", "source", "relay");
  const FolderRecord folder =
      co_await journal.folder(account, FolderName::parse("INBOX"), FolderName::parse("INBOX"));
  co_await journal.accept_failures(folder.id);
}

struct Shore {
  explicit Shore(MemoryOptions source_options = {}) : source(std::move(source_options)) {
    options.sessions = 1;
    options.retries = 1;
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) add(letter("m" + std::to_string(i)));
  }
  Uid add(const std::string& bytes) {
    return source.folder("INBOX").add(bytes, Flags{}, InternalDate{1'000'000 + serial_++, 0});
  }
  Ledger run() {
    const auto from = make_memory_source(source);
    InlineBlocking blocking;
    const auto spool = make_disk_spool(blocking, "/tmp");
    const Ledger ledger =
        block_on(executor, relay_account({*from, relay, *journal, observer, *spool},
                                         {"ann", "source", "relay"}, options, stop));
    CHECK(ledger.messages().balances());
    return ledger;
  }
  std::vector<MessageRow> rows() { return block_on(executor, rows_in(*journal)); }
  static Task<std::vector<MessageRow>> rows_in(Journal& journal) {
    const AccountId account = co_await journal.account("ann", "source", "relay");
    const FolderRecord folder =
        co_await journal.folder(account, FolderName::parse("INBOX"), FolderName::parse("INBOX"));
    co_return co_await journal.rows(folder.id, {}, 100);
  }

  ManualExecutor executor;
  MemoryServer source;
  FakeRelay relay;
  std::unique_ptr<Journal> journal = open_journal_in_memory();
  NotingObserver observer;
  CrossingOptions options;
  StopRequest stop;

 private:
  std::int64_t serial_ = 0;
};

}  // namespace

TEST_CASE(
    "a message is unknown in the journal before a byte of it goes out, and copied behind it") {
  Shore shore(GENERATE(MemoryOptions{}, pop3()));
  shore.fill(1);
  std::vector<MessageRow> under_way;
  shore.relay.before_answer = [&]() -> Task<void> {
    under_way = co_await Shore::rows_in(*shore.journal);
  };
  CHECK(shore.run().outcome == Outcome::complete);
  REQUIRE(under_way.size() == 1);
  CHECK(under_way[0].state == MessageState::unknown);
  CHECK(under_way[0].sha256);
  CHECK(shore.rows().at(0).state == MessageState::copied);
  CHECK(shore.observer.said("cannot cross"));
  shore.observer.notes.clear();
  CHECK(shore.run().messages().present == 1);
  CHECK_FALSE(shore.observer.said("cannot cross"));
  CHECK(shore.relay.taken.size() == 1);
}

TEST_CASE("what a crash leaves under way is unknown, held, and sent again only on request") {
  Shore shore;
  shore.fill(3);
  shore.relay.answer = [n = 0](const Message&) mutable -> RelayResult {
    if (++n == 2) throw Killed{};
    return Delivered{};
  };
  CHECK_THROWS_AS(shore.run(), Killed);
  shore.relay.answer = [](const Message&) { return Delivered{}; };
  for (int i = 0; i < 2; ++i) {
    const Ledger ledger = shore.run();
    CHECK(ledger.messages().unknown == 1);
    CHECK(ledger.outcome == Outcome::partial);
  }
  CHECK(shore.relay.taken.size() == 2);
  shore.options.only_failed = true;
  CHECK(shore.run().messages().unknown == 1);
  CHECK(shore.relay.taken.size() == 2);
  shore.options.resend_unknown = true;
  CHECK(shore.run().messages().unknown == 0);
  CHECK(shore.relay.taken.size() == 3);
}

TEST_CASE("a lost answer makes one message unknown, and the others go on over a new session") {
  Shore shore;
  shore.options.retries = 5;
  shore.fill(3);
  shore.relay.answer = [n = 0](const Message&) mutable -> RelayResult {
    return ++n == 2 ? RelayResult(Undecided{"lost"}) : Delivered{};
  };
  const Ledger ledger = shore.run();
  CHECK(ledger.messages().unknown == 1);
  CHECK(ledger.messages().copied == 2);
  CHECK(shore.relay.connects == 2);
}

TEST_CASE("a resend that is refused or put off leaves the message unknown") {
  Shore shore;
  shore.fill(1);
  shore.relay.answer = [](const Message&) { return Undecided{"lost"}; };
  shore.run();
  shore.options.only_failed = shore.options.resend_unknown = true;
  shore.relay.answer = GENERATE(std::function<RelayResult(const Message&)>([](const Message&) {
                                  return Refused{"no", false};
                                }),
                                [](const Message&) { return Deferred{"later"}; });
  CHECK(shore.run().messages().unknown == 1);
  CHECK(shore.rows().at(0).state == MessageState::unknown);
}

TEST_CASE("a line that is lost before the message's end costs nothing") {
  Shore shore;
  shore.options.retries = 3;
  shore.fill(2);
  shore.relay.answer = [n = 0](const Message&) mutable -> RelayResult {
    if (++n == 1) throw Error(ErrorKind::transient, "cut");
    return Delivered{};
  };
  CHECK(shore.run().outcome == Outcome::complete);
  CHECK(shore.relay.taken.size() == 2);
}

TEST_CASE("what is put off has a schedule that outlives the run") {
  CHECK(due_again(1, 0, 0) == 5 * 60);
  CHECK(due_again(2, 0, 1000) == 1000 + 15 * 60);
  CHECK(due_again(3, 0, 1000) == 1000 + 30 * 60);
  CHECK(due_again(9, 0, 1000) == 1000 + 60 * 60);
  CHECK_FALSE(due_again(99, 0, 5 * 24 * 3600));
  Shore shore;
  shore.fill(2);
  shore.relay.answer = [](const Message&) { return Deferred{"greylisted"}; };
  const Ledger first = shore.run();
  CHECK(first.outcome == Outcome::interrupted);
  CHECK(first.messages().pending == 2);
  shore.relay.answer = [](const Message&) { return Delivered{}; };
  CHECK(shore.run().messages().pending == 2);
  block_on(shore.executor, sleep_for(std::chrono::minutes(6)));
  CHECK(shore.run().messages().copied == 2);
}

TEST_CASE("what is put off for too long is refused") {
  Shore shore;
  shore.fill(1);
  shore.relay.answer = [](const Message&) { return Deferred{"later"}; };
  shore.run();
  block_on(shore.executor, sleep_for(std::chrono::hours(5 * 24 + 1)));
  CHECK(shore.run().messages().rejected == 1);
}

TEST_CASE("a server that puts off one message after the other is left in peace") {
  Shore shore;
  shore.fill(50);
  int asked = 0;
  shore.relay.answer = [&asked](const Message&) {
    ++asked;
    return Deferred{"busy"};
  };
  const Ledger ledger = shore.run();
  CHECK(asked == 5);
  CHECK(ledger.messages().pending == 50);
  REQUIRE(ledger.error);
  CHECK(ledger.error->kind() == ErrorKind::throttled);
}

TEST_CASE("a refusal of all mail stops the run, one of a message does not") {
  Shore shore;
  shore.fill(3);
  shore.relay.answer = [n = 0](const Message&) mutable -> RelayResult {
    return ++n == 1 ? RelayResult(Refused{"too large", false}) : Delivered{};
  };
  CHECK(shore.run().messages().copied == 2);
  Shore other;
  other.fill(3);
  other.relay.answer = [](const Message&) { return Refused{"spam", true}; };
  const Ledger ledger = other.run();
  CHECK(ledger.messages().rejected == 1);
  CHECK(ledger.messages().pending == 2);
  CHECK(ledger.outcome == Outcome::partial);
}

TEST_CASE("after a new UIDVALIDITY what was handed over is known by its bytes") {
  Shore shore;
  shore.fill(3);
  shore.add(letter("m0"));  // a true duplicate
  shore.run();
  CHECK(shore.relay.taken.size() == 4);
  shore.source.renumber(FolderName::parse("INBOX"), 77);
  shore.add(letter("new"));
  const Ledger ledger = shore.run();
  CHECK(ledger.messages().present == 4);
  CHECK(ledger.messages().copied == 1);
  CHECK(shore.relay.taken.size() == 5);
}

TEST_CASE("a message whose UIDL changes stays unknown") {
  Shore shore(pop3());
  shore.fill(2);
  shore.relay.answer = [](const Message&) { return Undecided{"lost"}; };
  shore.run();
  shore.source.renumber(FolderName::parse("INBOX"), 77);
  shore.relay.answer = [](const Message&) { return Delivered{}; };
  CHECK(shore.run().messages().unknown == 2);
}

TEST_CASE("long messages of known length go through a spool, and a dry run sends nothing") {
  Shore shore;
  const std::string large = letter("large", std::string(2 << 20, 'x'));
  shore.add(large);
  shore.options.dry_run = true;
  CHECK(shore.run().messages().pending == 1);
  CHECK(shore.relay.taken.empty());
  shore.options.dry_run = false;
  CHECK(shore.run().messages().copied == 1);
  CHECK(shore.relay.taken.at(0) == large);
}

TEST_CASE("a server without room for another session gets fewer") {
  Shore shore;
  shore.options.sessions = 3;
  shore.fill(20);
  shore.relay.connect_errors = {};
  shore.relay.before_answer = [&shore]() -> Task<void> {
    if (shore.relay.connects == 1) shore.relay.connect_errors.clear();
    co_await sleep_for(std::chrono::milliseconds(1));
  };
  CHECK(shore.run().messages().copied == 20);
  CHECK(shore.relay.taken.size() == 20);
}

TEST_CASE("what was refused or put off holds for no other message under a new UIDVALIDITY") {
  const int crossed = GENERATE(0, 2);
  const bool put_off = GENERATE(false, true), dry = GENERATE(false, true);
  Shore shore;
  shore.fill(crossed + 1);
  shore.relay.answer = [crossed, put_off, n = 0](const Message&) mutable -> RelayResult {
    if (n++ < crossed) return Delivered{};
    return put_off ? RelayResult(Deferred{"greylisted"}) : Refused{"no", false};
  };
  shore.run();
  if (!put_off) block_on(shore.executor, accept_failures(*shore.journal));
  shore.source.renumber(FolderName::parse("INBOX"), 77);
  shore.source.folder("INBOX").messages.back().bytes = letter("other");
  shore.relay.answer = [](const Message&) { return Delivered{}; };
  shore.options.dry_run = dry;
  const Ledger ledger = shore.run();
  CHECK(ledger.messages().present == static_cast<std::uint64_t>(crossed));
  CHECK((dry ? ledger.messages().pending : ledger.messages().copied) == 1);
  if (dry) return;
  CHECK(shore.relay.taken.back() == letter("other"));
  CHECK(shore.run().messages().present == static_cast<std::uint64_t>(crossed) + 1);
}

TEST_CASE("a relay run that is stopped before it has reached every folder is interrupted") {
  MemoryOptions terse;
  terse.list_numbers = false;  // of a folder that is not reached, nothing is known to be pending
  Shore shore(terse);
  shore.fill(1);
  shore.source.folder("Work").add(letter("work"));
  std::uint64_t copied = 0;
  SECTION("before it has a session") { shore.stop.request(); }
  SECTION("before the source has told its folders") {
    shore.relay.on_connect = [&shore] { shore.stop.request(); };
  }
  SECTION("between two folders") {
    copied = 1;
    shore.relay.answer = [&shore](const Message&) {
      shore.stop.request();
      return Delivered{};
    };
  }
  const Ledger ledger = shore.run();
  CHECK(ledger.messages().copied == copied);
  CHECK(ledger.outcome == Outcome::interrupted);
}

TEST_CASE("a relay run that is stopped between two windows of the source is interrupted") {
  MemoryOptions gmail = pop3();
  gmail.window = 10;
  Shore shore(gmail);
  shore.fill(15);
  shore.relay.answer = [&shore, n = 0](const Message&) mutable {
    if (++n == 10) shore.stop.request();
    return Delivered{};
  };
  const Ledger ledger = shore.run();
  CHECK(ledger.messages().copied == 10);
  CHECK(ledger.outcome == Outcome::interrupted);
}

TEST_CASE("nothing is under way while a lost line is waited for") {
  Shore shore;
  shore.options.retries = 3;
  shore.fill(1);
  shore.relay.answer = [](const Message&) -> RelayResult {
    throw Error(ErrorKind::transient, "421 closing");
  };
  const auto from = make_memory_source(shore.source);
  InlineBlocking blocking;
  const auto spool = make_disk_spool(blocking, "/tmp");
  // Killed while it waits.
  CHECK_THROWS_AS(
      block_on(
          shore.executor,
          with_timeout(std::chrono::milliseconds(100),
                       relay_account({*from, shore.relay, *shore.journal, shore.observer, *spool},
                                     {"ann", "source", "relay"}, shore.options, shore.stop))),
      TimedOut);
  CHECK(shore.observer.said("trying again"));
  CHECK(shore.rows().empty());
}
