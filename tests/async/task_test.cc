// Task: children, exceptions, lifetimes, and what depth costs the stack: nothing.
#include "engine/async/task.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

struct StackSpan {
  std::uintptr_t lowest = UINTPTR_MAX;
  std::uintptr_t highest = 0;

  void note() {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (here < lowest) lowest = here;
    if (here > highest) highest = here;
  }
  std::uintptr_t bytes() const { return highest - lowest; }
};

Task<long> ready(long value) { co_return value; }

Task<long> noting(StackSpan& span) {
  span.note();
  co_return 1;
}

Task<long> throwing(StackSpan& span) {
  span.note();
  throw std::runtime_error("refused");
  co_return 0;
}

Task<long> depth(long levels, StackSpan& span) {
  span.note();
  if (levels == 0) co_return 0;
  const long below = co_await depth(levels - 1, span);
  span.note();
  co_return below + 1;
}

Task<long> depth_that_waits(long levels, StackSpan& span) {
  if (levels == 0) {
    co_await yield();
    co_return 0;
  }
  const long below = co_await depth_that_waits(levels - 1, span);
  span.note();
  co_return below + 1;
}

Task<void> depth_that_sleeps(long levels) {
  if (levels == 0) {
    co_await sleep_for(1h);
    co_return;
  }
  co_await depth_that_sleeps(levels - 1);
}

TEST_CASE("a million children that finish at once do not grow the stack") {
  ManualExecutor executor;
  StackSpan span;
  const long sum = run(executor, [&]() -> Task<long> {
    long total = 0;
    for (int i = 0; i < 1'000'000; ++i) total += co_await noting(span);
    co_return total;
  });
  CHECK(sum == 1'000'000);
  CHECK(span.bytes() < 4096);
}

TEST_CASE("twenty thousand children that fail at once do not grow the stack") {
  ManualExecutor executor;
  StackSpan span;
  const int failures = run(executor, [&]() -> Task<int> {
    int caught = 0;
    for (int i = 0; i < 20'000; ++i) {
      try {
        co_await throwing(span);
      } catch (const std::runtime_error&) {
        ++caught;
      }
    }
    co_return caught;
  });
  CHECK(failures == 20'000);
  CHECK(span.bytes() < 4096);
}

TEST_CASE("a hundred thousand tasks deep goes down and up without stack") {
  ManualExecutor executor;
  StackSpan span;
  CHECK(block_on(executor, depth(100'000, span)) == 100'000);
  CHECK(span.bytes() < 4096);
}

TEST_CASE("a hundred thousand tasks deep comes back from a wait without stack") {
  ManualExecutor executor;
  StackSpan span;
  CHECK(block_on(executor, depth_that_waits(100'000, span)) == 100'000);
  CHECK(span.bytes() < 4096);
}

TEST_CASE("a cancel ends ten thousand tasks deep") {
  ManualExecutor executor;
  CHECK_THROWS_AS(block_on(executor, with_timeout(1min, depth_that_sleeps(10'000))), TimedOut);
  CHECK(executor.timers() == 0);
}

TEST_CASE("a task that is never awaited never runs, and lets go of its arguments") {
  int live = 0;
  bool ran = false;
  {
    const auto body = [](Live, bool& flag) -> Task<void> {
      flag = true;
      co_return;
    };
    Task<void> task = body(Live(live), ran);
    CHECK(live == 1);
  }
  CHECK(live == 0);
  CHECK_FALSE(ran);
}

TEST_CASE("an exception passes through every await up to who catches it") {
  ManualExecutor executor;
  StackSpan span;
  const auto middle = [&]() -> Task<long> { co_return co_await throwing(span) + 1; };
  const std::string caught = run(executor, [&]() -> Task<std::string> {
    try {
      co_await middle();
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing";
  });
  CHECK(caught == "refused");
  CHECK_THROWS_AS(block_on(executor, throwing(span)), std::runtime_error);
}

TEST_CASE("a task yields move-only values, converted values and braces") {
  ManualExecutor executor;
  const auto unique = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  const auto converted = []() -> Task<std::string> { co_return "text"; };
  const auto nothing = []() -> Task<std::optional<int>> { co_return std::nullopt; };
  const auto braces = []() -> Task<std::vector<int>> { co_return {1, 2, 3}; };
  CHECK(*run(executor, unique) == 7);
  CHECK(run(executor, converted) == "text");
  CHECK(run(executor, nothing) == std::nullopt);
  CHECK(run(executor, braces) == std::vector<int>{1, 2, 3});
}

TEST_CASE("the frame of a child dies at the end of the expression that awaits it") {
  ManualExecutor executor;
  int live = 0;
  const auto child = [](Live) -> Task<int> { co_return 1; };
  const std::vector<int> counts = run(executor, [&]() -> Task<std::vector<int>> {
    std::vector<int> seen;
    Task<int> task = child(Live(live));
    seen.push_back(live);
    co_await std::move(task);
    seen.push_back(live);
    co_await child(Live(live));
    seen.push_back(live);
    co_return seen;
  });
  CHECK(counts == std::vector<int>{1, 0, 0});
}

TEST_CASE("the locals of a child die before its parent goes on") {
  ManualExecutor executor;
  int live = 0;
  int peak = 0;
  const auto child = [&]() -> Task<void> {
    const Live local(live, &peak);
    co_await yield();
  };
  const int after_child = run(executor, [&]() -> Task<int> {
    co_await child();
    co_return live;
  });
  CHECK(after_child == 0);
  CHECK(peak == 1);
}

TEST_CASE("an assigned task takes the place of the old one, which is destroyed") {
  ManualExecutor executor;
  int first = 0;
  int second = 0;
  const auto child = [](Live, int value) -> Task<int> { co_return value; };
  const int value = run(executor, [&]() -> Task<int> {
    Task<int> task = child(Live(first), 1);
    task = child(Live(second), 2);
    co_return co_await std::move(task);
  });
  CHECK(value == 2);
  CHECK(first == 0);
  CHECK(second == 0);
}

TEST_CASE("a child runs in the scope of who awaits it, or in the one it is given") {
  ManualExecutor executor;
  const auto scope_of_child = []() -> Task<Scope*> {
    Scope& scope = co_await current_scope();
    co_return &scope;
  };
  const auto [inherited, given] = run(executor, [&]() -> Task<std::pair<bool, bool>> {
    Scope& mine = co_await current_scope();
    Scope other(mine);
    Scope* const plain = co_await scope_of_child();
    Scope* const moved = co_await scope_of_child().in(other);
    co_return {plain == &mine, moved == &other};
  });
  CHECK(inherited);
  CHECK(given);
}

TEST_CASE("block_on returns what a ready task yields") {
  ManualExecutor executor;
  CHECK(block_on(executor, ready(42)) == 42);
}

}  // namespace
}  // namespace postferry
