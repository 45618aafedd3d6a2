// Time and the limits of a scope: sleep, yield, a time limit around a task, a shield around one.
#pragma once

#include <exception>
#include <utility>

#include "engine/async/leaf.h"
#include "engine/async/task.h"

namespace postferry {

// What a time limit throws; never a cancel from outside, which stays Cancelled.
struct TimedOut : std::exception {
  const char* what() const noexcept override { return "timed out"; }
};

namespace detail {

class SleepAwaiter final : public Leaf {
 public:
  explicit SleepAwaiter(Duration duration) : duration_(duration) {}
  ~SleepAwaiter() {
    if (timer_ != TimerId::kNone) executor().cancel_timer(timer_);
  }

  bool await_ready() const noexcept { return false; }
  template <Scoped Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) {
    cancelled_ = !suspend(waiter);
    if (cancelled_) return false;
    timer_ = executor().start_timer(after(executor().now(), duration_), [this] {
      timer_ = TimerId::kNone;
      wake();
    });
    return true;
  }
  void await_resume() const {
    if (cancelled_) throw Cancelled();
  }

  void on_cancel() noexcept override {
    executor().cancel_timer(std::exchange(timer_, TimerId::kNone));
    cancelled_ = true;
    wake();
  }

 private:
  Duration duration_;
  TimerId timer_ = TimerId::kNone;
  bool cancelled_ = false;
};

class YieldAwaiter {
 public:
  bool await_ready() const noexcept { return false; }
  template <Scoped Promise>
  void await_suspend(std::coroutine_handle<Promise> waiter) {
    scope_ = &waiter.promise().scope();
    scope_->executor().post(waiter);
  }
  void await_resume() const {
    if (scope_->cancelled()) throw Cancelled();
  }

 private:
  Scope* scope_ = nullptr;
};

// Cancels a scope when its time is up, unless it dies before.
class Deadline {
 public:
  Deadline(Scope& scope, Duration limit) : executor_(scope.executor()) {
    timer_ = executor_.start_timer(after(executor_.now(), limit), [this, &scope] {
      timer_ = TimerId::kNone;
      passed_ = true;
      scope.cancel();
    });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    if (timer_ != TimerId::kNone) executor_.cancel_timer(timer_);
  }

  bool passed() const { return passed_; }

 private:
  Executor& executor_;
  TimerId timer_ = TimerId::kNone;
  bool passed_ = false;
};

}  // namespace detail

// Goes on not before `duration` has passed, always through the loop. A cancel ends it at once.
inline Task<void> sleep_for(Duration duration) { co_await detail::SleepAwaiter(duration); }

// Lets every other ready coroutine have its turn. Throws Cancelled if the scope is cancelled.
inline Task<void> yield() { co_await detail::YieldAwaiter(); }

// Runs `task` in a scope of its own that is cancelled when `limit` has passed; ends when the task
// has ended. TimedOut: the limit passed and the task gave up for it. A task that succeeds or fails
// all the same, keeps its value or its exception. A cancel of the outer scope stays Cancelled.
template <class T>
Task<T> with_timeout(Duration limit, Task<T> task) {
  Scope& outer = co_await current_scope();
  Scope inner(outer);
  detail::Deadline deadline(inner, limit);
  try {
    co_return co_await std::move(task).in(inner);
  } catch (const Cancelled&) {
    if (!deadline.passed() || outer.cancelled()) throw;
  }
  throw TimedOut();
}

// Runs `task` where a cancel of the outer scope does not reach it, also when it came before: for
// what must be finished on the way out. Give it a limit: shielded(with_timeout(limit, task)).
template <class T>
Task<T> shielded(Task<T> task) {
  Scope& outer = co_await current_scope();
  Scope inner(outer.executor());
  co_return co_await std::move(task).in(inner);
}

}  // namespace postferry
