// ManualExecutor: order and virtual time; and the two containers that everything stands on.
#include "engine/async/manual_executor.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/async/event.h"
#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

TEST_CASE("timers fire in the order of their times, equal ones in the order they were started") {
  ManualExecutor executor;
  std::string log;
  const TimePoint start = executor.now();
  executor.start_timer(start + 2s, [&] { log += 'c'; });
  executor.start_timer(start + 1s, [&] { log += 'a'; });
  executor.start_timer(start + 2s, [&] { log += 'd'; });
  executor.start_timer(start + 1s, [&] { log += 'b'; });
  executor.advance(1s);
  CHECK(log == "ab");
  executor.advance(1h);
  CHECK(log == "abcd");
  CHECK(executor.now() == start + 1h + 1s);
}

TEST_CASE("a cancelled timer never runs, and cancelling what fired is no error") {
  ManualExecutor executor;
  std::string log;
  const TimePoint start = executor.now();
  TimerId second = TimerId::kNone;
  const TimerId first = executor.start_timer(start + 1s, [&] {
    log += 'a';
    executor.cancel_timer(second);
  });
  second = executor.start_timer(start + 1s, [&] { log += 'b'; });
  executor.advance(2s);
  executor.cancel_timer(first);
  executor.cancel_timer(TimerId::kNone);
  CHECK(log == "a");
  CHECK(executor.idle());
}

TEST_CASE("a timer that is due already fires from the loop, and time does not go back") {
  ManualExecutor executor;
  executor.advance(1h);
  const TimePoint now = executor.now();
  bool fired = false;
  executor.start_timer(now - 30min, [&] { fired = true; });
  CHECK_FALSE(fired);
  executor.advance(0s);
  CHECK(fired);
  CHECK(executor.now() == now);
}

TEST_CASE("the wall clock goes with virtual time from where it was set") {
  ManualExecutor executor;
  CHECK(executor.wall_clock() == ManualExecutor::kEpoch);
  executor.advance(10s);
  CHECK(executor.wall_clock() == ManualExecutor::kEpoch + 10s);
  executor.set_wall_clock(ManualExecutor::kEpoch - 1h);
  executor.advance(1s);
  CHECK(executor.wall_clock() == ManualExecutor::kEpoch - 1h + 1s);
}

TEST_CASE("a wait that nobody will end is reported as a deadlock") {
  ManualExecutor executor;
  Event never;
  CHECK_THROWS_AS(block_on(executor, never.wait()), Deadlock);
}

TEST_CASE("callbacks of a thread run on the loop, in order") {
  ManualExecutor executor;
  std::vector<int> order;
  executor.hold();
  std::thread thread([&] {
    for (int i = 0; i < 10; ++i) {
      executor.post_from_thread([&order, i] { order.push_back(i); });
    }
  });
  executor.run_until([&] { return order.size() == 10; });
  executor.release();
  thread.join();
  CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("what a callback throws ends the run, and the executor can run again") {
  ManualExecutor executor;
  executor.start_timer(executor.now() + 1s, [] { throw std::runtime_error("boom"); });
  CHECK_THROWS_WITH(block_on(executor, sleep_for(1h)), "boom");
  executor.clear();
  CHECK_NOTHROW(block_on(executor, sleep_for(1h)));
}

TEST_CASE("a batch of the ready queue does not run what it makes ready") {
  ManualExecutor executor;
  ReadyQueue queue;
  Scope root(executor);
  int turns = 0;
  struct Repost {
    ReadyQueue& queue;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) { queue.post(waiter); }
    void await_resume() const noexcept {}
  };
  const auto body = [&]() -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      ++turns;
      co_await Repost{queue};
    }
  };
  Task<void> task = body().in(root);
  queue.post(task.handle());
  CHECK(queue.run_batch() == 1);
  CHECK(turns == 1);
  CHECK(queue.run_batch() == 1);
  CHECK(turns == 2);
  while (queue.run_batch() > 0) {
  }
  CHECK(task.handle().done());
}

TEST_CASE("a ring keeps its order while it grows and wraps") {
  Ring<std::unique_ptr<int>> ring;
  int pushed = 0;
  int popped = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 7; ++i) ring.push_back(std::make_unique<int>(pushed++));
    for (int i = 0; i < 4; ++i) REQUIRE(*ring.pop_front() == popped++);
  }
  CHECK(ring.size() == 150);
  while (!ring.empty()) REQUIRE(*ring.pop_front() == popped++);
  CHECK(popped == pushed);
  ring.push_back(std::make_unique<int>(1));
  ring.clear();
  CHECK(ring.empty());
}

struct NumberTag;
struct Number : ListNode<NumberTag> {
  explicit Number(int v) : value(v) {}
  int value;
};

TEST_CASE("a member leaves its list when it dies, a list lets its members go") {
  Number outlives(3);
  std::vector<int> values;
  {
    IntrusiveList<Number, NumberTag> list;
    Number first(1);
    list.push_back(first);
    {
      Number second(2);
      list.push_back(second);
    }
    list.push_back(outlives);
    while (Number* number = list.pop_front()) values.push_back(number->value);
    CHECK(list.empty());
    list.push_back(outlives);
  }
  CHECK(values == std::vector<int>{1, 3});
  CHECK_FALSE(outlives.linked());
}

}  // namespace
}  // namespace postferry
