// Event: a flag that tasks of one loop can wait for.
#pragma once

#include "engine/async/leaf.h"
#include "engine/async/task.h"

namespace postferry {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Stays set until reset; everybody who waits goes on, also if a reset follows at once.
  void set() {
    set_ = true;
    while (Wait* wait = waiters_.pop_front()) wait->wake();
  }
  void reset() { set_ = false; }
  bool is_set() const { return set_; }

  // Does not suspend when the event is set. Cancellable.
  Task<void> wait() { co_await Wait(*this); }

 private:
  class Wait final : public QueuedLeaf {
   public:
    explicit Wait(Event& event) : event_(event) {}

    bool await_ready() const noexcept { return false; }
    template <Scoped Promise>
    bool await_suspend(std::coroutine_handle<Promise> waiter) {
      cancelled_ = !suspend(waiter);
      if (cancelled_ || event_.set_) return false;
      event_.waiters_.push_back(*this);
      return true;
    }
    void await_resume() const {
      if (cancelled_) throw Cancelled();
    }

    void on_cancel() noexcept override {
      leave_queue();
      cancelled_ = true;
      wake();
    }

   private:
    friend class Event;
    Event& event_;
    bool cancelled_ = false;
  };

  bool set_ = false;
  IntrusiveList<Wait, WaitTag> waiters_;
};

}  // namespace postferry
