// Semaphore and Event: fairness, permits, cancelling.
#include "engine/async/semaphore.h"

#include <catch2/catch.hpp>
#include <string>

#include "engine/async/event.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

Task<void> take(Semaphore& semaphore, std::int64_t n, std::string& log, char name) {
  co_await semaphore.acquire(n);
  log += name;
}

TEST_CASE("never more tasks are inside than there are permits") {
  ManualExecutor executor;
  Semaphore semaphore(3);
  int inside = 0;
  int most = 0;
  const auto worker = [&]() -> Task<void> {
    const Permit permit = co_await semaphore.acquire_permit();
    const Live here(inside, &most);
    co_await sleep_for(1s);
  };
  const TimePoint start = executor.now();
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             for (int i = 0; i < 9; ++i) group.spawn(worker());
             co_return;
           }));
  CHECK(most == 3);
  CHECK(semaphore.available() == 3);
  CHECK(executor.now() == start + 3s);
}

TEST_CASE("a small request does not overtake a large one") {
  ManualExecutor executor;
  Semaphore semaphore(2);
  std::string log;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(take(semaphore, 1, log, 'a'));
             group.spawn(take(semaphore, 5, log, 'b'));
             group.spawn(take(semaphore, 1, log, 'c'));
             co_await sleep_for(1s);
             log += '.';
             semaphore.release(3);
             co_await sleep_for(1s);
             log += '.';
             semaphore.release(2);
           }));
  CHECK(log ==
        "a.."
        "bc");
  CHECK(semaphore.available() == 0);
}

TEST_CASE("try_acquire does not overtake who waits") {
  ManualExecutor executor;
  Semaphore semaphore(1);
  std::string log;
  const bool taken = block_on(executor, with_group([&](TaskGroup& group) -> Task<bool> {
                                group.spawn(take(semaphore, 2, log, 'a'));
                                co_await sleep_for(1s);
                                const bool overtook = semaphore.try_acquire(1);
                                semaphore.release(1);
                                co_return overtook;
                              }));
  CHECK_FALSE(taken);
  CHECK(log == "a");
}

TEST_CASE("when a large request is cancelled, those behind it are granted at once") {
  ManualExecutor executor;
  Semaphore semaphore(1);
  std::string log;
  const TimePoint start = executor.now();
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn([&]() -> Task<void> {
               try {
                 co_await with_timeout(1s, semaphore.acquire(5));
               } catch (const TimedOut&) {
                 log += "timed out ";
               }
             });
             group.spawn([&]() -> Task<void> {
               co_await yield();
               co_await take(semaphore, 1, log, 'b');
             });
             co_return;
           }));
  CHECK(log.find('b') != std::string::npos);
  CHECK(log.find("timed out") != std::string::npos);
  CHECK(executor.now() == start + 1s);
  CHECK(semaphore.available() == 0);
}

TEST_CASE("a cancelled acquire takes nothing, a granted one is kept") {
  ManualExecutor executor;
  Semaphore semaphore(0);
  CHECK_THROWS_AS(block_on(executor, with_timeout(1s, semaphore.acquire(1))), TimedOut);
  semaphore.release(1);
  CHECK(semaphore.available() == 1);

  Scope root(executor);
  Task<void> granted = semaphore.acquire(2).in(root);
  executor.post(granted.handle());
  executor.run_ready();
  semaphore.release(1);
  root.cancel();
  executor.run_ready();
  REQUIRE(granted.handle().done());
  CHECK_NOTHROW(granted.handle().promise().take());
  CHECK(semaphore.available() == 0);
  CHECK_THROWS_AS(block_on(root, semaphore.acquire(0)), Cancelled);
}

TEST_CASE("a permit gives back once, wherever it was moved") {
  Semaphore semaphore(0);
  {
    Permit first(semaphore, 2);
    Permit second = std::move(first);
    Permit third(semaphore, 1);
    third = std::move(second);
    CHECK(semaphore.available() == 1);
    CHECK(third.count() == 2);
    third.release();
    third.release();
    CHECK(semaphore.available() == 3);
  }
  CHECK(semaphore.available() == 3);
}

TEST_CASE("an event wakes everybody who waits, and stays set until reset") {
  ManualExecutor executor;
  Event event;
  int woken = 0;
  const auto waiter = [&]() -> Task<void> {
    co_await event.wait();
    ++woken;
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(waiter());
             group.spawn(waiter());
             co_await sleep_for(1s);
             event.set();
             event.reset();
             co_await group.join();
           }));
  CHECK(woken == 2);
  CHECK_THROWS_AS(block_on(executor, with_timeout(1s, event.wait())), TimedOut);
  event.set();
  block_on(executor, event.wait());
  CHECK(event.is_set());
}

}  // namespace
}  // namespace postferry
