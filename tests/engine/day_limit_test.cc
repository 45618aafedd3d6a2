#include "engine/crossing/day_limit.h"

#include "engine/crossing/fleet.h"
#include "engine/crossing/retry.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

constexpr std::int64_t kNoon = 1'700'000'000 / 3600 * 3600;  // a full hour
constexpr std::int64_t kHour = 3600;
using std::chrono::hours;

/// A login, and what of it is in a journal.
struct Login {
  explicit Login(std::uint64_t most_bytes) : limit("imap://ann", "source ann", Direction::down) {
    limit.set(most_bytes);
  }
  void carry(std::uint64_t bytes, std::int64_t now) {
    limit.count(bytes);
    block_on(executor, limit.keep(*journal, now));
  }
  hours away(std::int64_t now) {
    return std::chrono::floor<hours>(*limit.refusal(now).retry_after());
  }

  ManualExecutor executor;
  std::unique_ptr<Journal> journal = open_journal_in_memory();
  DayLimit limit;
};

/// Carries `pair` by its day's bytes: each letter counts as 100 when it arrives.
struct Day {
  explicit Day(Pair& of) : pair(of), limit("imap://ann", "target ann", Direction::up) {}

  Ledger run() {
    const auto from = make_memory_source(pair.source);
    const auto to = make_memory_target(pair.target);
    CountingObserver counter(limit);
    return block_on(pair.executor,
                    carry_within({&limit}, *pair.journal, pair.stop, [&](const StopRequest& stop) {
                      return cross_account({*from, *to, *pair.journal, counter},
                                           {"ann", "source", "target"}, pair.options, stop);
                    }));
  }

  struct CountingObserver final : Observer {
    explicit CountingObserver(DayLimit& counted) : limit(counted) {}
    void copied(const FolderName&, std::uint64_t messages, std::uint64_t) override {
      limit.count(100 * messages);
    }
    DayLimit& limit;
  };

  Pair& pair;
  DayLimit limit;
};

}  // namespace

TEST_CASE("a day's limit is used up by what this run carries") {
  Login login(1000);
  login.carry(999, kNoon);
  CHECK_FALSE(login.limit.used_up());
  login.limit.count(1);
  CHECK(login.limit.used_up());
}

TEST_CASE("a day's limit counts what earlier runs carried, and not longer than a day") {
  Login before(1000);
  before.carry(600, kNoon);
  before.carry(300, kNoon + kHour);
  const auto in_a_later_run = [&](std::int64_t now) {
    DayLimit limit("imap://ann", "source ann", Direction::down);
    limit.set(700);
    block_on(before.executor, limit.recall(*before.journal, now));
    return limit.used_up();
  };
  CHECK(in_a_later_run(kNoon + 24 * kHour + kHour - 1));
  CHECK_FALSE(in_a_later_run(kNoon + 25 * kHour));
}

TEST_CASE("each login and direction has a day of its own") {
  Login ann(1000);
  ann.carry(1000, kNoon);
  DayLimit up("imap://ann", "target ann", Direction::up);
  DayLimit bob("imap://bob", "source bob", Direction::down);
  for (DayLimit* other : {&up, &bob}) {
    other->set(1000);
    block_on(ann.executor, other->recall(*ann.journal, kNoon));
    CHECK_FALSE(other->used_up());
  }
}

TEST_CASE("what is used up is gone on with when an eighth of it is free again") {
  Login login(800);
  login.carry(50, kNoon);
  login.carry(750, kNoon + 3 * kHour);
  REQUIRE(login.limit.used_up());
  const std::int64_t now = kNoon + 4 * kHour;
  CHECK(login.away(now) == hours(24));  // the 50 alone, an hour earlier, are not worth it
  const Error refusal = login.limit.refusal(now);
  CHECK(refusal.kind() == ErrorKind::throttled);
  CHECK_THAT(refusal.what(), Catch::Contains("source ann") && Catch::Contains("800 bytes"));
}

TEST_CASE("the wait for another day is never one that a crossing sits out by itself") {
  Login login(800);
  login.carry(800, kNoon);
  CHECK(*login.limit.refusal(kNoon + 25 * kHour - 60).retry_after() > kLongestWait);
}

TEST_CASE("an hour that is yet to come does not count") {
  Login login(1000);
  block_on(login.executor,
           login.journal->add_traffic("imap://ann", Direction::down, {kNoon / kHour + 72, 5000}));
  block_on(login.executor, login.limit.recall(*login.journal, kNoon));
  CHECK_FALSE(login.limit.used_up());
}

TEST_CASE("a limit that is learned late counts what went before it, and what is in the journal") {
  Login login(0);
  block_on(login.executor,
           login.journal->add_traffic("imap://ann", Direction::down, {kNoon / kHour, 500}));
  block_on(login.executor, login.limit.recall(*login.journal, kNoon));
  login.carry(400, kNoon);
  login.limit.set(1000);
  login.carry(0, kNoon);
  CHECK_FALSE(login.limit.used_up());
  login.carry(100, kNoon);
  CHECK(login.limit.used_up());
}

TEST_CASE("an account whose day is used up ends in good order, and goes on a day later") {
  Pair pair;
  pair.fill("INBOX", 30);
  Day day(pair);
  day.limit.set(1000);
  const Ledger first = day.run();
  CHECK(first.outcome == Outcome::interrupted);
  REQUIRE(first.error);
  CHECK(first.error->kind() == ErrorKind::throttled);
  CHECK(*first.error->retry_after() >= hours(23));
  const std::size_t there = pair.on_target("INBOX");
  CHECK(there >= 10);
  CHECK(there < 30);
  CHECK(first.messages().balances());

  const Ledger at_once = day.run();
  CHECK(at_once.outcome == Outcome::interrupted);
  CHECK(at_once.folders.empty());
  CHECK(pair.on_target("INBOX") == there);

  for (int days = 0; days < 3; ++days) {
    pair.executor.advance(hours(25));
    (void)day.run();
  }
  CHECK(pair.equal());
}

TEST_CASE("what came down before the day was used up still goes up, but not past a limit there") {
  Pair pair;
  pair.fill("INBOX", 30);
  const Direction direction = GENERATE(Direction::down, Direction::up);
  DayLimit limit("imap://ann", "ann", direction);
  limit.set(100);
  Day::CountingObserver counter(limit);
  const auto from = make_memory_source(pair.source);
  const auto to = make_memory_target(pair.target);
  Pace pace(1);  // so that all is here when the first has gone out
  const Ledger ledger = block_on(
      pair.executor, carry_within({&limit}, *pair.journal, pair.stop, [&](const StopRequest& stop) {
        return cross_account({*from, *to, *pair.journal, counter, nullptr, &pace},
                             {"ann", "source", "target"}, pair.options, stop);
      }));
  CHECK(ledger.messages().balances());
  CHECK(pair.on_target("INBOX") == ledger.messages().copied);
  if (direction == Direction::down) {
    CHECK(ledger.messages().copied == 30);
  } else {
    CHECK(ledger.messages().copied < 5);
    CHECK(ledger.outcome == Outcome::interrupted);
  }
}

TEST_CASE("one account alone waits for its day, and says until when") {
  Pair pair;
  pair.fill("INBOX", 30);
  Day day(pair);
  day.limit.set(1000);
  std::vector<std::int64_t> times;
  const std::int64_t begun = unix_time(pair.executor);
  const auto carry = [&]() -> Task<Ledger> {
    const auto from = make_memory_source(pair.source);
    const auto to = make_memory_target(pair.target);
    Day::CountingObserver counter(day.limit);
    const auto cross = [&](const StopRequest& stop) {
      return cross_account({*from, *to, *pair.journal, counter}, {"ann", "source", "target"},
                           pair.options, stop);
    };
    co_return co_await carry_within({&day.limit}, *pair.journal, pair.stop, cross);
  };
  const auto waits = [&](const Ledger&, std::int64_t until) { times.push_back(until); };
  const bool wait = GENERATE(true, false);
  const Ledger ledger = block_on(pair.executor, carry_alone(carry, wait, waits, pair.stop));
  if (wait) {
    CHECK(ledger.outcome == Outcome::complete);
    CHECK(pair.equal());
    REQUIRE_FALSE(times.empty());
    CHECK(times[0] > begun + 23 * kHour);
    CHECK(times[0] <= begun + 26 * kHour);
  } else {
    CHECK(ledger.outcome == Outcome::interrupted);
    CHECK(times.empty());
  }
}
