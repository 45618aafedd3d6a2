#include "engine/crossing/fleet.h"

#include "engine/async/timeout.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

Ledger complete() { return {}; }

}  // namespace

TEST_CASE("a fleet begins with what is unknown, then with the largest") {
  ManualExecutor executor;
  StopRequest stop;
  std::vector<std::size_t> begun;
  FleetPlan plan{{5, std::nullopt, 90, 7}, 1, true};
  const auto carry = [&](std::size_t index) -> Task<Ledger> {
    begun.push_back(index);
    co_return complete();
  };
  block_on(executor, carry_fleet(plan, carry, {}, stop));
  CHECK(begun == std::vector<std::size_t>{1, 2, 3, 0});
}

TEST_CASE("a fleet carries as many side by side as it may, and no more") {
  ManualExecutor executor;
  StopRequest stop;
  int now = 0, most = 0;
  const auto carry = [&](std::size_t) -> Task<Ledger> {
    most = std::max(most, ++now);
    co_await sleep_for(std::chrono::seconds(1));
    --now;
    co_return complete();
  };
  block_on(executor,
           carry_fleet({std::vector<std::optional<std::uint64_t>>(20), 3, true}, carry, {}, stop));
  CHECK(most == 3);
}

TEST_CASE("an account of a fleet that fails stops no other") {
  ManualExecutor executor;
  StopRequest stop;
  std::size_t ended = 0;
  FleetEvents events;
  events.ended = [&](std::size_t, const Ledger&) { ++ended; };
  const auto carry = [&](std::size_t index) -> Task<Ledger> {
    if (index == 1) throw Error(ErrorKind::auth, "no");
    co_await sleep_for(std::chrono::seconds(1));
    co_return complete();
  };
  const std::vector<Ledger> ledgers = block_on(
      executor,
      carry_fleet({std::vector<std::optional<std::uint64_t>>(4), 2, true}, carry, events, stop));
  REQUIRE(ledgers.size() == 4);
  CHECK(ledgers[1].outcome == Outcome::failed);
  REQUIRE(ledgers[1].error);
  CHECK(ledgers[1].error->kind() == ErrorKind::auth);
  for (const std::size_t i : {0u, 2u, 3u}) CHECK(ledgers[i].outcome == Outcome::complete);
  CHECK(ended == 4);
}

TEST_CASE("accounts that a stop keeps from beginning are interrupted") {
  ManualExecutor executor;
  StopRequest stop;
  const auto carry = [&](std::size_t) -> Task<Ledger> {
    stop.request();
    co_return complete();
  };
  const std::vector<Ledger> ledgers = block_on(
      executor,
      carry_fleet({std::vector<std::optional<std::uint64_t>>(3), 1, true}, carry, {}, stop));
  CHECK(ledgers[0].outcome == Outcome::complete);
  CHECK(ledgers[1].outcome == Outcome::interrupted);
  CHECK(ledgers[2].outcome == Outcome::interrupted);
}

TEST_CASE("an account that must stay away is carried on when its time has come") {
  ManualExecutor executor;
  StopRequest stop;
  const TimePoint begun = executor.now();
  std::vector<std::pair<std::size_t, std::int64_t>> calls;
  const auto carry = [&](std::size_t index) -> Task<Ledger> {
    const auto hours = std::chrono::duration_cast<std::chrono::hours>(executor.now() - begun);
    calls.emplace_back(index, hours.count());
    Ledger ledger;
    if (index == 0 && calls.size() == 1) {
      ledger.outcome = Outcome::interrupted;
      ledger.error = Error(ErrorKind::throttled, "the day is used up").after(std::chrono::hours(5));
    }
    co_return ledger;
  };
  const bool waits = GENERATE(true, false);
  const std::vector<Ledger> ledgers =
      block_on(executor, carry_fleet({{9, 5}, 1, waits}, carry, {}, stop));
  using Calls = std::vector<std::pair<std::size_t, std::int64_t>>;
  if (waits) {
    CHECK(calls == Calls{{0, 0}, {1, 0}, {0, 5}});
    CHECK(ledgers[0].outcome == Outcome::complete);
  } else {
    CHECK(calls == Calls{{0, 0}, {1, 0}});
    CHECK(ledgers[0].outcome == Outcome::interrupted);
  }
}

TEST_CASE("a further session is begun only for enough messages more") {
  const auto [messages_a_session, sessions] =
      GENERATE(table<std::uint64_t, int>({{0, 4}, {100, 1}, {80, 2}, {20, 4}}));
  ManualExecutor executor;
  MemoryServer source(MemoryOptions{}), target(MemoryOptions{});
  for (int folder = 0; folder < 4; ++folder)
    for (int i = 0; i < 21; ++i)
      source.folder("f" + std::to_string(folder))
          .add(letter(std::to_string(folder) + "m" + std::to_string(i)), Flags(),
               InternalDate{1'000'000 + i, 0});
  const std::unique_ptr<Journal> journal = open_journal_in_memory();
  NotingObserver observer;
  StopRequest stop;
  const auto inner = make_memory_source(source);
  struct Counted final : Source {
    explicit Counted(Source& of) : source(of) {}
    Task<std::unique_ptr<SourceSession>> connect() override {
      ++sessions;
      return source.connect();
    }
    int max_sessions() const override { return 4; }
    std::string describe() const override { return source.describe(); }
    Source& source;
    int sessions = 0;
  } counted(*inner);
  const auto to = make_memory_target(target);
  CrossingOptions options;
  options.sessions = 4;
  options.messages_a_session = messages_a_session;
  const Ledger ledger =
      block_on(executor, cross_account({counted, *to, *journal, observer},
                                       {"ann", "source", "target"}, options, stop));
  CHECK(ledger.messages().copied == 84);
  CHECK(counted.sessions == sessions);
}

TEST_CASE("many accounts may fill one folder at the same time, and lose nothing") {
  ManualExecutor executor;
  MemoryServer target(MemoryOptions{});
  std::vector<std::unique_ptr<MemoryServer>> sources;
  const std::unique_ptr<Journal> journal = open_journal_in_memory();
  NotingObserver observer;
  StopRequest stop;
  FolderTurns turns;
  constexpr int kAccounts = 5, kLetters = 20;
  for (int a = 0; a < kAccounts; ++a) {
    sources.push_back(std::make_unique<MemoryServer>(MemoryOptions{}));
    for (int i = 0; i < kLetters; ++i)
      sources.back()->folder("INBOX").add(letter("a" + std::to_string(a) + "m" + std::to_string(i)),
                                          Flags::parse("\\Seen"), InternalDate{1'000'000 + i, 0});
  }
  const auto carry = [&](std::size_t index) -> Task<Ledger> {
    const auto from = make_memory_source(*sources[index]);
    const auto to = make_memory_target(target);
    CrossingOptions options;
    options.sessions = 1;
    const std::string name = "account " + std::to_string(index);
    co_return co_await cross_account({*from, *to, *journal, observer, &turns},
                                     {name, name, "target"}, options, stop);
  };
  for (int round = 0; round < 2; ++round) {
    const std::vector<Ledger> ledgers = block_on(
        executor,
        carry_fleet({std::vector<std::optional<std::uint64_t>>(kAccounts), kAccounts, true}, carry,
                    {}, stop));
    for (const Ledger& ledger : ledgers) {
      CHECK(ledger.outcome == Outcome::complete);
      CHECK(ledger.messages().copied == (round == 0 ? kLetters : 0));
    }
  }
  CHECK(Pair::content(target, FolderName::parse("INBOX")).size() == kAccounts * kLetters);
}
