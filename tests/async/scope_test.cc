// Scope: who is told of a cancel, when, and how often.
#include "engine/async/scope.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

class Told final : public CancelHook {
 public:
  Told(std::string& log, char name) : log_(log), name_(name) {}
  void on_cancel() noexcept override { log_ += name_; }

 private:
  std::string& log_;
  char name_;
};

TEST_CASE("a cancel tells every hook once, in the order they came") {
  ManualExecutor executor;
  Scope scope(executor);
  std::string log;
  Told a(log, 'a');
  Told b(log, 'b');
  scope.add(a);
  scope.add(b);
  scope.cancel();
  scope.cancel();
  CHECK(log == "ab");
  CHECK(scope.cancelled());
}

TEST_CASE("a hook that left or died is not told") {
  ManualExecutor executor;
  Scope scope(executor);
  std::string log;
  Told left(log, 'l');
  Told stays(log, 's');
  scope.add(left);
  {
    Told dies(log, 'd');
    scope.add(dies);
  }
  scope.add(stays);
  left.unlink();
  scope.cancel();
  CHECK(log == "s");
}

TEST_CASE("a hook may take another one out while it is told") {
  class Remover final : public CancelHook {
   public:
    explicit Remover(CancelHook& other) : other_(other) {}
    void on_cancel() noexcept override { other_.unlink(); }

   private:
    CancelHook& other_;
  };
  ManualExecutor executor;
  Scope scope(executor);
  std::string log;
  Told victim(log, 'v');
  Told last(log, 'l');
  Remover remover(victim);
  scope.add(remover);
  scope.add(victim);
  scope.add(last);
  scope.cancel();
  CHECK(log == "l");
}

TEST_CASE("a cancel goes down to the children, never up") {
  ManualExecutor executor;
  Scope root(executor);
  Scope left(root);
  Scope right(root);
  Scope below(right);
  right.cancel();
  CHECK(below.cancelled());
  CHECK_FALSE(root.cancelled());
  CHECK_FALSE(left.cancelled());
  root.cancel();
  CHECK(left.cancelled());
}

TEST_CASE("a scope that is made in a cancelled one is cancelled") {
  ManualExecutor executor;
  Scope root(executor);
  root.cancel();
  const Scope child(root);
  CHECK(child.cancelled());
}

TEST_CASE("check_cancelled throws only in a cancelled scope") {
  ManualExecutor executor;
  Scope root(executor);
  const auto check = []() -> Task<int> {
    co_await check_cancelled();
    co_return 1;
  };
  CHECK(block_on(root, check()) == 1);
  root.cancel();
  CHECK_THROWS_AS(block_on(root, check()), Cancelled);
}

TEST_CASE("a cancel resumes nobody before the loop has its turn") {
  ManualExecutor executor;
  Scope root(executor);
  std::string log;
  const auto sleeper = [&]() -> Task<void> {
    try {
      co_await sleep_for(1h);
    } catch (const Cancelled&) {
      log += "cancelled ";
    }
  };
  const TimePoint start = executor.now();
  executor.start_timer(start + 1s, [&] {
    root.cancel();
    log += "after cancel ";
  });
  block_on(root, sleeper());
  CHECK(log == "after cancel cancelled ");
  CHECK(executor.now() == start + 1s);
}

}  // namespace
}  // namespace postferry
