// The libuv loop keeps the promises of Executor.
#include "connectors/net/uv_executor.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>
#include <vector>

#include "engine/async/block_on.h"
#include "engine/async/completion.h"
#include "engine/async/task_group.h"
#include "engine/async/thread_blocking.h"
#include "engine/async/timeout.h"

using namespace postferry;
using net::UvExecutor;
using std::chrono::milliseconds;

namespace {

Task<void> note(std::vector<int>& order, int number, int yields) {
  for (int i = 0; i < yields; ++i) co_await yield();
  order.push_back(number);
}

Task<void> spawn_in_order(std::vector<int>& order) {
  co_await with_group([&order](TaskGroup& group) -> Task<void> {
    group.spawn(note(order, 1, 0));
    group.spawn(note(order, 2, 100));
    group.spawn(note(order, 3, 0));
    co_await group.join();
  });
}

Task<void> nap(std::vector<int>& order, int number, milliseconds duration) {
  co_await sleep_for(duration);
  order.push_back(number);
}

Task<void> nap_in_order(std::vector<int>& order) {
  co_await with_group([&order](TaskGroup& group) -> Task<void> {
    group.spawn(nap(order, 3, milliseconds(20)));
    group.spawn(nap(order, 1, milliseconds(1)));
    group.spawn(nap(order, 2, milliseconds(10)));
    co_await group.join();
  });
}

Task<std::string> limited(Task<void> task) {
  std::string text = "done";
  try {
    co_await with_timeout(milliseconds(1), std::move(task));
  } catch (const TimedOut&) {
    text = "timed out";
  }
  co_return text;
}

Task<void> wait_for_ever() {
  Completion<> never;
  co_await never.wait([&never] { never.set_cancelled(); });
}

Task<void> spin(const bool& stop) {
  while (!stop) co_await yield();
}

Task<void> stop_after(milliseconds duration, bool& stop) {
  co_await sleep_for(duration);
  stop = true;
}

Task<void> spin_beside_a_timer() {
  co_await with_group([](TaskGroup& group) -> Task<void> {
    bool stop = false;
    group.spawn(spin(stop));
    group.spawn(stop_after(milliseconds(5), stop));
    co_await group.join();
  });
}

}  // namespace

TEST_CASE("posted coroutines run in order, between two turns of the loop too") {
  UvExecutor loop;
  std::vector<int> order;
  block_on(loop, spawn_in_order(order));
  CHECK(order == std::vector<int>{1, 3, 2});
}

TEST_CASE("timers fire in the order of their time") {
  UvExecutor loop;
  std::vector<int> order;
  block_on(loop, nap_in_order(order));
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("timers of one instant fire in the order they were started") {
  UvExecutor loop;
  std::vector<int> order;
  TimePoint when = loop.now() + milliseconds(2);
  for (int i = 0; i < 5; ++i) loop.start_timer(when, [&order, i] { order.push_back(i); });
  TimerId unwanted = loop.start_timer(when, [&order] { order.push_back(99); });
  loop.cancel_timer(unwanted);
  loop.cancel_timer(TimerId::kNone);
  loop.run_until([&order] { return order.size() >= 5; });
  CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("a timer that restarts itself lets the loop go on") {
  UvExecutor loop;
  int fired = 0;
  std::function<void()> again = [&] {
    ++fired;
    loop.start_timer(loop.now(), again);
  };
  loop.start_timer(loop.now(), again);
  loop.run_until([&fired] { return fired == 100; });
  CHECK(fired == 100);
}

TEST_CASE("a time limit ends a wait that nothing else would end") {
  UvExecutor loop;
  CHECK(block_on(loop, limited(wait_for_ever())) == "timed out");
}

TEST_CASE("a coroutine that is always ready does not keep timers from firing") {
  UvExecutor loop;
  block_on(loop, spin_beside_a_timer());
}

TEST_CASE("threads reach the loop while it sleeps") {
  UvExecutor loop;
  ThreadBlocking threads(2);
  int sum = 0;
  for (int i = 0; i < 50; ++i) sum += block_on(loop, threads.run([i] { return i; }));
  CHECK(sum == 1225);
}

TEST_CASE("many callbacks of many threads all arrive") {
  UvExecutor loop;
  int arrived = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&loop, &arrived] {
      for (int i = 0; i < 500; ++i) loop.post_from_thread([&arrived] { ++arrived; });
    });
  }
  loop.run_until([&arrived] { return arrived == 2000; });
  for (std::thread& thread : threads) thread.join();
  CHECK(arrived == 2000);
}

TEST_CASE("what a callback throws leaves through run_until, and the loop can run again") {
  UvExecutor loop;
  loop.start_timer(loop.now(), [] { throw std::runtime_error("from a timer"); });
  CHECK_THROWS_WITH(loop.run_until([] { return false; }), "from a timer");
  loop.post_from_thread([] { throw std::runtime_error("from a thread"); });
  CHECK_THROWS_WITH(loop.run_until([] { return false; }), "from a thread");
  std::vector<int> order;
  block_on(loop, nap_in_order(order));
  CHECK(order.size() == 3);
}

TEST_CASE("a signal reaches its callback on the loop, each time") {
  UvExecutor loop;
  std::vector<int> seen;
  loop.on_signal(SIGUSR1, [&](int number) {
    seen.push_back(number);
    if (seen.size() < 2) ::raise(SIGUSR1);
  });
  ::raise(SIGUSR1);
  loop.run_until([&seen] { return seen.size() == 2; });
  CHECK(seen == std::vector<int>{SIGUSR1, SIGUSR1});
}

TEST_CASE("a signal's callback can be replaced, and taken away inside itself") {
  UvExecutor loop;
  int first = 0;
  int second = 0;
  loop.on_signal(SIGUSR1, [&](int) { ++first; });
  loop.on_signal(SIGUSR1, [&](int number) {
    ++second;
    loop.on_signal(number, nullptr);
  });
  ::raise(SIGUSR1);
  loop.run_until([&second] { return second == 1; });
  CHECK(first == 0);
}

TEST_CASE("two loops run side by side in one process") {
  auto work = [](std::vector<int>& order) {
    UvExecutor loop;
    block_on(loop, nap_in_order(order));
  };
  std::vector<int> here;
  std::vector<int> there;
  std::thread other([&] { work(there); });
  work(here);
  other.join();
  CHECK(here == there);
}
