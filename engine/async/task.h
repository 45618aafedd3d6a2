// Task: a coroutine that starts when it is awaited and ends before its awaiter goes on. It must
// not know groups, timers or the loop.
//
// A child is entered and left by symmetric transfer, which clang 19 keeps as a tail call in every
// build (Debug, sanitizers, Release): awaits that finish at once, and chains of any depth, use no
// stack. The tests hold it to that.
#pragma once

#include <cassert>
#include <concepts>
#include <coroutine>
#include <exception>
#include <utility>

#include "engine/async/result.h"
#include "engine/async/scope.h"

namespace postferry {

template <class T>
class Task;

// What the promises of all coroutines of this house share.
class PromiseBase {
 public:
  // The scope the coroutine runs in; set before it runs for the first time.
  Scope& scope() const noexcept { return *scope_; }
  bool has_scope() const noexcept { return scope_ != nullptr; }
  void set_scope(Scope& scope) noexcept { scope_ = &scope; }

  void set_continuation(std::coroutine_handle<> continuation) noexcept {
    continuation_ = continuation;
  }

  std::suspend_always initial_suspend() const noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
      return finished.promise().continuation_;
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }

 private:
  Scope* scope_ = nullptr;
  std::coroutine_handle<> continuation_ = std::noop_coroutine();
};

template <class T>
class TaskPromise : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <class U = T>
    requires std::convertible_to<U, T>
  void return_value(U&& value) {
    result_.set_value(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { result_.set_error(std::current_exception()); }
  T take() { return result_.take(); }

 private:
  Result<T> result_;
};

template <>
class TaskPromise<void> : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept { result_.set_value(); }
  void unhandled_exception() noexcept { result_.set_error(std::current_exception()); }
  void take() { result_.take(); }

 private:
  Result<void> result_;
};

// Move-only, owns the frame. Awaited at most once, as an rvalue: `co_await f()` or
// `co_await std::move(task)`; the frame dies at the end of that expression. A task that is never
// awaited never runs. Exceptions of the body leave through the await.
//
// A task that has started may be destroyed before its end only when its executor will not run
// again, or has forgotten what was posted (how a simulated crash ends the world): nothing is
// resumed, the frames are destroyed from the innermost out.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using value_type = T;
  using promise_type = TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task(std::move(other)).swap(*this);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs the task in `scope` instead of its awaiter's: `co_await std::move(task).in(scope)`.
  // `scope` must outlive the task.
  Task in(Scope& scope) && noexcept {
    assert(handle_);
    handle_.promise().set_scope(scope);
    return std::move(*this);
  }

  // For block_on, which runs a task without awaiting it.
  Handle handle() const noexcept { return handle_; }

  auto operator co_await() && noexcept {
    assert(handle_);
    return Awaiter(std::exchange(handle_, nullptr));
  }

 private:
  class Awaiter {
   public:
    explicit Awaiter(Handle child) noexcept : child_(child) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (child_) child_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    template <Scoped Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) noexcept {
      promise_type& promise = child_.promise();
      if (!promise.has_scope()) promise.set_scope(parent.promise().scope());
      promise.set_continuation(parent);
      return child_;
    }
    T await_resume() { return child_.promise().take(); }

   private:
    Handle child_;
  };

  void swap(Task& other) noexcept { std::swap(handle_, other.handle_); }

  Handle handle_;
};

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(Task<T>::Handle::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(Task<void>::Handle::from_promise(*this));
}

}  // namespace postferry
