// Scope: what a running coroutine lives in: its executor, and whether it has been cancelled.
// Every task carries a pointer to its scope and hands it to the tasks it awaits. Groups, timeouts
// and shields put a new scope around what they run. It must not know Task.
//
// Cancelling is telling, never resuming: cancel() sets the flag and calls the hooks of the leaves
// that wait in the scope; each leaf posts its coroutine when it has let go, and the coroutine then
// throws Cancelled where it waited. A leaf that is reached after the cancel throws at once.
#pragma once

#include <cassert>
#include <concepts>
#include <coroutine>
#include <exception>

#include "engine/async/executor.h"
#include "engine/async/intrusive_list.h"

namespace postferry {

// Ends an operation whose scope was cancelled. Let it pass; only who cancelled may swallow it.
struct Cancelled : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

struct CancelTag;

// Something that wants to be told when a scope is cancelled. It leaves the scope when it dies.
class CancelHook : public ListNode<CancelTag> {
 public:
  // Called at most once for each Scope::add, on the loop, inside cancel(), with the hook already
  // out of the scope. Must not throw, resume a coroutine or destroy one; may post.
  virtual void on_cancel() noexcept = 0;

 protected:
  ~CancelHook() = default;
};

class Scope {
 public:
  // A root: cancelled only by its own cancel(). The executor must outlive it.
  explicit Scope(Executor& executor) : executor_(executor), link_(*this) {}

  // A child: cancelled with its parent (at once, if the parent already is). The parent must
  // outlive it.
  explicit Scope(Scope& parent) : executor_(parent.executor_), link_(*this) {
    if (parent.cancelled_) {
      cancelled_ = true;
    } else {
      parent.add(link_);
    }
  }

  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { assert(hooks_.empty()); }

  Executor& executor() { return executor_; }
  bool cancelled() const { return cancelled_; }

  // Tells everything inside, in the order it came; a second call does nothing.
  void cancel() noexcept {
    if (cancelled_) return;
    cancelled_ = true;
    while (CancelHook* hook = hooks_.pop_front()) hook->on_cancel();
  }

  // Registers `hook` until it is unlinked or told. The scope must not be cancelled yet.
  void add(CancelHook& hook) {
    assert(!cancelled_);
    hooks_.push_back(hook);
  }

 private:
  class Link final : public CancelHook {
   public:
    explicit Link(Scope& scope) : scope_(scope) {}
    void on_cancel() noexcept override { scope_.cancel(); }

   private:
    Scope& scope_;
  };

  Executor& executor_;
  bool cancelled_ = false;
  IntrusiveList<CancelHook, CancelTag> hooks_;
  Link link_;
};

// A coroutine that has a scope, seen through its promise: what every awaitable of this house
// takes in await_suspend.
template <class Promise>
concept Scoped = requires(Promise& promise) {
  { promise.scope() } -> std::same_as<Scope&>;
};

namespace detail {

struct CurrentScopeAwaiter {
  Scope* scope = nullptr;
  bool await_ready() const noexcept { return false; }
  template <Scoped Promise>
  bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
    scope = &coroutine.promise().scope();
    return false;
  }
  Scope& await_resume() const noexcept { return *scope; }
};

struct CheckCancelledAwaiter {
  bool cancelled = false;
  bool await_ready() const noexcept { return false; }
  template <Scoped Promise>
  bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
    cancelled = coroutine.promise().scope().cancelled();
    return false;
  }
  void await_resume() const {
    if (cancelled) throw Cancelled();
  }
};

}  // namespace detail

// `Scope& scope = co_await current_scope();` Does not suspend.
[[nodiscard]] inline detail::CurrentScopeAwaiter current_scope() { return {}; }

// `co_await check_cancelled();` Throws Cancelled if the scope is cancelled. Does not suspend.
[[nodiscard]] inline detail::CheckCancelledAwaiter check_cancelled() { return {}; }

}  // namespace postferry
