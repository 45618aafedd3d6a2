// Blocking: work on threads, and the same work inline.
#include "engine/async/blocking.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/async/task_group.h"
#include "engine/async/thread_blocking.h"
#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

TEST_CASE("a job runs on a thread and its value comes back to the loop") {
  ManualExecutor executor;
  ThreadBlocking blocking;
  const auto [job,
              loop] = run(executor, [&]() -> Task<std::pair<std::thread::id, std::thread::id>> {
    const std::thread::id there = co_await blocking.run([] { return std::this_thread::get_id(); });
    co_return {there, std::this_thread::get_id()};
  });
  CHECK(loop == std::this_thread::get_id());
  CHECK(job != loop);
}

TEST_CASE("a job inline runs inside its submit, and yields move-only values") {
  ManualExecutor executor;
  InlineBlocking blocking;
  const auto value = block_on(executor, blocking.run([owned = std::make_unique<int>(4)]() mutable {
    return std::move(owned);
  }));
  CHECK(*value == 4);
}

TEST_CASE("what a job throws is thrown on the loop") {
  ManualExecutor executor;
  ThreadBlocking threads;
  InlineBlocking inlined;
  const auto fails = []() -> int { throw std::runtime_error("disk full"); };
  const auto fails_void = [] { throw std::runtime_error("disk gone"); };
  CHECK_THROWS_WITH(block_on(executor, threads.run(fails)), "disk full");
  CHECK_THROWS_WITH(block_on(executor, threads.run(fails_void)), "disk gone");
  CHECK_THROWS_WITH(block_on(executor, inlined.run(fails)), "disk full");
}

TEST_CASE("one thread runs jobs one after the other, in the order they were submitted") {
  ManualExecutor executor;
  ThreadBlocking blocking(1);
  std::vector<int> order;  // Touched by the one thread only, then by the loop.
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             for (int i = 0; i < 100; ++i) {
               group.spawn([&, i]() -> Task<void> {
                 co_await blocking.run([&order, i] { order.push_back(i); });
               });
             }
             co_return;
           }));
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("several threads run jobs at the same time") {
  ManualExecutor executor;
  ThreadBlocking blocking(3);
  std::latch all_inside(3);
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             for (int i = 0; i < 3; ++i) {
               group.spawn(blocking.run([&] { all_inside.arrive_and_wait(); }));
             }
             co_return;
           }));
  CHECK(all_inside.try_wait());
}

TEST_CASE("a cancel does not abandon a job: it is waited for, then Cancelled is thrown") {
  ManualExecutor executor;
  ThreadBlocking blocking;
  Scope root(executor);
  std::latch cancelled(1);
  std::atomic<bool> finished = false;
  const auto canceller = [&]() -> Task<void> {
    co_await yield();
    root.cancel();
    cancelled.count_down();
  };
  const auto job = [&] {
    cancelled.wait();
    finished = true;
    return 1;
  };
  const auto body = [&](TaskGroup& group) -> Task<int> {
    group.spawn(shielded(canceller()));
    co_return co_await blocking.run(job);
  };
  CHECK_THROWS_AS(block_on(root, with_group(body)), Cancelled);
  CHECK(finished);
}

TEST_CASE("a job that fails after a cancel still tells its failure") {
  ManualExecutor executor;
  InlineBlocking blocking;
  Scope root(executor);
  const auto fails = [&]() -> int {
    root.cancel();
    throw std::runtime_error("corrupt");
  };
  CHECK_THROWS_WITH(block_on(root, blocking.run(fails)), "corrupt");
}

TEST_CASE("a job cancelled on its way throws Cancelled, whether it has a value to yield or not") {
  ManualExecutor executor;
  InlineBlocking blocking;
  Scope first(executor);
  Scope second(executor);
  const auto with_value = [&] {
    first.cancel();
    return 1;
  };
  CHECK_THROWS_AS(block_on(first, blocking.run(with_value)), Cancelled);
  CHECK_THROWS_AS(block_on(second, blocking.run([&] { second.cancel(); })), Cancelled);
}

TEST_CASE("in a cancelled scope no job is started, in a shield it is") {
  ManualExecutor executor;
  ThreadBlocking blocking;
  Scope root(executor);
  root.cancel();
  int ran = 0;
  CHECK_THROWS_AS(block_on(root, blocking.run([&] { ++ran; })), Cancelled);
  CHECK(ran == 0);
  block_on(root, shielded(blocking.run([&] { ++ran; })));
  CHECK(ran == 1);
}

TEST_CASE("virtual time stands still while a thread owes its answer") {
  ManualExecutor executor;
  ThreadBlocking blocking;
  const TimePoint start = executor.now();
  const auto job = [] {
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    return 2;
  };
  CHECK(block_on(executor, with_timeout(1s, blocking.run(job))) == 2);
  CHECK(executor.now() == start);
}

TEST_CASE("the destructor of the threads runs what is still queued") {
  int ran = 0;
  {
    ThreadBlocking blocking(1);
    for (int i = 0; i < 50; ++i) blocking.submit([&ran] { ++ran; });
  }
  CHECK(ran == 50);
}

TEST_CASE("a loop that is never idle still hears its threads") {
  ManualExecutor executor;
  ThreadBlocking blocking;
  const int value = block_on(executor, with_group([&](TaskGroup& group) -> Task<int> {
                               group.spawn([]() -> Task<void> {
                                 for (;;) co_await yield();
                               });
                               const int answer = co_await blocking.run([] { return 9; });
                               group.cancel();
                               co_return answer;
                             }));
  CHECK(value == 9);
}

}  // namespace
}  // namespace postferry
