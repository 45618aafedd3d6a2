// Completion: an operation that somebody outside the coroutines finishes.
#include "engine/async/completion.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/async/async_test.h"

namespace postferry {
namespace {

Task<int> wait_for(Completion<int>& completion, int& told) {
  co_return co_await completion.wait([&told] { ++told; });
}

// Runs `task` in `root` until the loop has nothing to do, and leaves it waiting there.
void start(Scope& root, Task<int>& task) {
  task = std::move(task).in(root);
  root.executor().post(task.handle());
  static_cast<ManualExecutor&>(root.executor()).run_ready();
}

TEST_CASE("a completion that is set before the wait does not suspend it") {
  ManualExecutor executor;
  Completion<std::unique_ptr<int>> completion;
  completion.set_value(std::make_unique<int>(5));
  const auto value = run(
      executor, [&]() -> Task<std::unique_ptr<int>> { co_return co_await completion.wait([] {}); });
  CHECK(*value == 5);
  CHECK_FALSE(completion.ready());
}

TEST_CASE("setting a completion posts the waiter and does not resume it inline") {
  ManualExecutor executor;
  Scope root(executor);
  Completion<int> completion;
  int told = 0;
  Task<int> task = wait_for(completion, told);
  start(root, task);
  CHECK(completion.awaited());
  completion.set_value(3);
  CHECK_FALSE(task.handle().done());
  executor.run_ready();
  REQUIRE(task.handle().done());
  CHECK(task.handle().promise().take() == 3);
  CHECK(told == 0);
}

TEST_CASE("a cancel tells the owner once, and the waiter goes on only when the owner lets it") {
  ManualExecutor executor;
  Scope root(executor);
  Completion<int> completion;
  int told = 0;
  Task<int> task = wait_for(completion, told);
  start(root, task);
  root.cancel();
  root.cancel();
  executor.run_ready();
  CHECK(told == 1);
  CHECK_FALSE(task.handle().done());
  completion.set_cancelled();
  executor.run_ready();
  REQUIRE(task.handle().done());
  CHECK_THROWS_AS(task.handle().promise().take(), Cancelled);
}

TEST_CASE("an operation that succeeds in spite of a cancel keeps its value") {
  ManualExecutor executor;
  Scope root(executor);
  Completion<int> completion;
  int told = 0;
  Task<int> task = wait_for(completion, told);
  start(root, task);
  root.cancel();
  completion.set_value(9);
  executor.run_ready();
  REQUIRE(task.handle().done());
  CHECK(task.handle().promise().take() == 9);
  CHECK(told == 1);
}

TEST_CASE("a completed wait is not told of a cancel that comes before it goes on") {
  ManualExecutor executor;
  Scope root(executor);
  Completion<int> completion;
  int told = 0;
  Task<int> task = wait_for(completion, told);
  start(root, task);
  completion.set_value(9);
  root.cancel();
  executor.run_ready();
  CHECK(told == 0);
  CHECK(task.handle().promise().take() == 9);
}

TEST_CASE("a wait in a cancelled scope tells the owner at once") {
  ManualExecutor executor;
  Scope root(executor);
  root.cancel();
  Completion<int> completion;
  const auto body = [&]() -> Task<int> {
    co_return co_await completion.wait([&] { completion.set_cancelled(); });
  };
  CHECK_THROWS_AS(block_on(root, body()), Cancelled);
}

TEST_CASE("a wait without a function is deaf to cancel") {
  ManualExecutor executor;
  Scope root(executor);
  Completion<int> completion;
  executor.start_timer(executor.now() + 1s, [&] { root.cancel(); });
  executor.start_timer(executor.now() + 2s, [&] { completion.set_value(1); });
  const auto body = [&]() -> Task<int> { co_return co_await completion.wait(); };
  CHECK(block_on(root, body()) == 1);
}

TEST_CASE("an error is thrown by the wait, and the completion serves again") {
  ManualExecutor executor;
  Completion<> completion;
  const std::string log = run(executor, [&]() -> Task<std::string> {
    std::string seen;
    completion.set_error(std::make_exception_ptr(std::runtime_error("reset by peer")));
    try {
      co_await completion.wait([] {});
    } catch (const std::runtime_error& error) {
      seen = error.what();
    }
    for (int i = 0; i < 3; ++i) {
      executor.start_timer(executor.now() + 1s, [&] { completion.set_value(); });
      co_await completion.wait([] {});
      seen += '.';
    }
    co_return seen;
  });
  CHECK(log == "reset by peer...");
}

}  // namespace
}  // namespace postferry
