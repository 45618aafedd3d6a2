// Leaf: the base of the awaitables at which a coroutine really waits (timers, channels, semaphores,
// completions). It keeps the promise of this house: a leaf is woken through the executor's queue,
// never resumed inline, neither by who completes it nor by a cancel. It must not know Task.
#pragma once

#include <cassert>
#include <coroutine>

#include "engine/async/scope.h"

namespace postferry {

// One wait of one coroutine. A deriving awaiter calls suspend() in await_suspend, and from then on
// either it or on_cancel() calls wake(), once.
class Leaf : public CancelHook {
 public:
  Leaf() = default;
  Leaf(const Leaf&) = delete;
  Leaf& operator=(const Leaf&) = delete;

 protected:
  ~Leaf() = default;

  // Notes who waits, and asks to be told of a cancel. False if the scope is cancelled already:
  // then nothing was registered and on_cancel() will not be called.
  template <Scoped Promise>
  bool suspend(std::coroutine_handle<Promise> waiter) {
    waiter_ = waiter;
    scope_ = &waiter.promise().scope();
    if (scope_->cancelled()) return false;
    scope_->add(*this);
    return true;
  }

  // As suspend(), but deaf to cancel: for waits that must not be cut short.
  template <Scoped Promise>
  void suspend_uncancellable(std::coroutine_handle<Promise> waiter) {
    waiter_ = waiter;
    scope_ = &waiter.promise().scope();
  }

  // The wait is over: posts the coroutine. A cancel is not heard any more.
  void wake() {
    assert(waiter_);
    this->unlink();
    scope_->executor().post(waiter_);
    waiter_ = nullptr;
  }

  bool waiting() const { return waiter_ != nullptr; }
  Executor& executor() const { return scope_->executor(); }

 private:
  std::coroutine_handle<> waiter_;
  Scope* scope_ = nullptr;
};

struct WaitTag;

// A leaf that stands in a queue. Who wakes it takes it out of the queue first.
class QueuedLeaf : public Leaf, public ListNode<WaitTag> {
 protected:
  ~QueuedLeaf() = default;

  void leave_queue() { ListNode<WaitTag>::unlink(); }
};

}  // namespace postferry
