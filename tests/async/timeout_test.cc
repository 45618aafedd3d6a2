// Time: sleeping, yielding, limits and shields.
#include "engine/async/timeout.h"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/async/task_group.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

Task<int> value_after(Duration duration, int value) {
  co_await sleep_for(duration);
  co_return value;
}

TEST_CASE("sleep_for lets exactly its time pass, also none at all") {
  ManualExecutor executor;
  const TimePoint start = executor.now();
  block_on(executor, sleep_for(90min));
  CHECK(executor.now() == start + 90min);
  block_on(executor, sleep_for(0s));
  block_on(executor, sleep_for(-1s));
  CHECK(executor.now() == start + 90min);
}

TEST_CASE("the longest sleep does not overflow the clock") {
  ManualExecutor executor;
  executor.advance(1s);
  CHECK_THROWS_AS(block_on(executor, with_timeout(1s, sleep_for(Duration::max()))), TimedOut);
  CHECK(block_on(executor, with_timeout(Duration::max(), value_after(1s, 3))) == 3);
}

TEST_CASE("a cancelled sleep ends at once and leaves no timer behind") {
  ManualExecutor executor;
  Scope root(executor);
  const TimePoint start = executor.now();
  std::size_t timers_left = 1;
  executor.start_timer(start + 1s, [&] {
    root.cancel();
    timers_left = executor.timers();
  });
  CHECK_THROWS_AS(block_on(root, sleep_for(1h)), Cancelled);
  CHECK(executor.now() == start + 1s);
  CHECK(timers_left == 0);
}

TEST_CASE("a sleep whose timer fired before the cancel is not cut short") {
  ManualExecutor executor;
  Scope root(executor);
  const auto body = [&]() -> Task<int> { co_return co_await value_after(1s, 5); };
  Task<int> task = body().in(root);
  executor.post(task.handle());
  executor.run_ready();
  executor.start_timer(executor.now() + 1s, [&] { root.cancel(); });
  executor.advance(1s);
  REQUIRE(task.handle().done());
  CHECK(task.handle().promise().take() == 5);
}

TEST_CASE("yield gives every ready coroutine its turn, in order") {
  ManualExecutor executor;
  std::string log;
  const auto talker = [&](char name) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      log += name;
      co_await yield();
    }
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(talker('a'));
             group.spawn(talker('b'));
             group.spawn(talker('c'));
             co_return;
           }));
  CHECK(log == "abcabcabc");
}

TEST_CASE("a loop that only yields can be cancelled") {
  ManualExecutor executor;
  Scope root(executor);
  int turns = 0;
  const auto body = [&]() -> Task<void> {
    for (;;) {
      if (++turns == 100) root.cancel();
      co_await yield();
    }
  };
  CHECK_THROWS_AS(block_on(root, body()), Cancelled);
  CHECK(turns == 100);
}

TEST_CASE("a task inside its limit yields its value and leaves no timer behind") {
  ManualExecutor executor;
  CHECK(block_on(executor, with_timeout(2s, value_after(1s, 3))) == 3);
  CHECK(executor.timers() == 0);
}

TEST_CASE("a task beyond its limit is cancelled and TimedOut is thrown") {
  ManualExecutor executor;
  const TimePoint start = executor.now();
  CHECK_THROWS_AS(block_on(executor, with_timeout(2s, value_after(3s, 3))), TimedOut);
  CHECK(executor.now() == start + 2s);
  CHECK(executor.timers() == 0);
}

TEST_CASE("a limit around a group cancels all of it") {
  ManualExecutor executor;
  int cancelled = 0;
  const auto child = [&]() -> Task<void> {
    try {
      co_await sleep_for(1h);
    } catch (const Cancelled&) {
      ++cancelled;
      throw;
    }
  };
  const auto body = [&](TaskGroup& group) -> Task<void> {
    for (int i = 0; i < 5; ++i) group.spawn(child());
    co_await group.join();
  };
  CHECK_THROWS_AS(block_on(executor, with_timeout(1s, with_group(body))), TimedOut);
  CHECK(cancelled == 5);
}

TEST_CASE("a cancel from outside stays Cancelled, also when the limit passed too") {
  ManualExecutor executor;
  Scope root(executor);
  executor.start_timer(executor.now() + 1s, [&] { root.cancel(); });
  CHECK_THROWS_AS(block_on(root, with_timeout(1h, sleep_for(2h))), Cancelled);

  Scope second(executor);
  const auto slow_to_end = []() -> Task<void> {
    try {
      co_await sleep_for(1h);
    } catch (const Cancelled&) {
    }
    co_await shielded(sleep_for(10s));
    throw Cancelled();
  };
  executor.start_timer(executor.now() + 5s, [&] { second.cancel(); });
  CHECK_THROWS_AS(block_on(second, with_timeout(1s, slow_to_end())), Cancelled);
}

TEST_CASE("of two limits, the one that passed is the one that throws") {
  ManualExecutor executor;
  const auto inner_first = []() -> Task<std::string> {
    try {
      co_await with_timeout(1s, sleep_for(1h));
    } catch (const TimedOut&) {
      co_return "inner";
    }
    co_return "none";
  };
  CHECK(block_on(executor, with_timeout(2s, inner_first())) == "inner");

  bool inner_timed_out = false;
  const auto outer_first = [&]() -> Task<void> {
    try {
      co_await with_timeout(2s, sleep_for(1h));
    } catch (const TimedOut&) {
      inner_timed_out = true;
      throw;
    }
  };
  CHECK_THROWS_AS(block_on(executor, with_timeout(1s, outer_first())), TimedOut);
  CHECK_FALSE(inner_timed_out);
}

TEST_CASE("a task that succeeds or fails in spite of its limit keeps its end") {
  ManualExecutor executor;
  const auto commits = []() -> Task<int> { co_return co_await shielded(value_after(5s, 8)); };
  const auto fails = []() -> Task<int> {
    try {
      co_await sleep_for(1h);
    } catch (const Cancelled&) {
      throw std::runtime_error("lost");
    }
    co_return 0;
  };
  CHECK(block_on(executor, with_timeout(1s, commits())) == 8);
  CHECK_THROWS_WITH(block_on(executor, with_timeout(1s, fails())), "lost");
}

TEST_CASE("a shield keeps a cancel out, whether it came before or comes within") {
  ManualExecutor executor;
  Scope before(executor);
  before.cancel();
  CHECK(block_on(before, shielded(value_after(1s, 1))) == 1);

  Scope within(executor);
  executor.start_timer(executor.now() + 1s, [&] { within.cancel(); });
  CHECK(block_on(within, shielded(value_after(2s, 2))) == 2);
}

TEST_CASE("a limit inside a shield still counts") {
  ManualExecutor executor;
  Scope root(executor);
  root.cancel();
  CHECK_THROWS_AS(block_on(root, shielded(with_timeout(1s, sleep_for(1h)))), TimedOut);
}

}  // namespace
}  // namespace postferry
