// Channel: a bounded queue between tasks of one loop. Many producers, many consumers; values and
// waiters are served in the order they came.
#pragma once

#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>

#include "engine/async/leaf.h"
#include "engine/async/ring.h"
#include "engine/async/task.h"

namespace postferry {

template <class T>
class Channel {
 public:
  // Holds at most `capacity` values, at least one.
  explicit Channel(std::size_t capacity) : capacity_(capacity) { assert(capacity > 0); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Waits while the channel is full. True: the value is in, and will be popped or was handed to a
  // consumer. False: the channel is closed, and the value is gone. Cancelled: it is not in.
  Task<bool> push(T value) { co_return co_await Push(*this, std::move(value)); }

  // Waits while the channel is empty. Nothing: it is closed and empty. A value once handed over is
  // returned, even if a cancel comes in between; a Cancelled took no value.
  Task<std::optional<T>> pop() { co_return co_await Pop(*this); }

  // The oldest value if there is one now.
  std::optional<T> try_pop() {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(values_.pop_front());
    if (Push* push = pushers_.pop_front()) {
      values_.push_back(std::move(push->value_));
      push->accepted_ = true;
      push->wake();
    }
    return value;
  }

  // From now on pushes are refused, also those that wait; what is inside can still be popped.
  // A second call does nothing.
  void close() {
    closed_ = true;
    while (Push* push = pushers_.pop_front()) push->wake();
    while (Pop* pop = poppers_.pop_front()) pop->wake();
  }

  bool closed() const { return closed_; }
  std::size_t size() const { return values_.size(); }
  std::size_t capacity() const { return capacity_; }

 private:
  class Push final : public QueuedLeaf {
   public:
    Push(Channel& channel, T value) : channel_(channel), value_(std::move(value)) {}

    bool await_ready() const noexcept { return false; }
    template <Scoped Promise>
    bool await_suspend(std::coroutine_handle<Promise> waiter) {
      cancelled_ = !this->suspend(waiter);
      if (cancelled_ || channel_.offer(*this)) return false;
      channel_.pushers_.push_back(*this);
      return true;
    }
    bool await_resume() const {
      if (cancelled_) throw Cancelled();
      return accepted_;
    }

    void on_cancel() noexcept override {
      this->leave_queue();
      cancelled_ = true;
      this->wake();
    }

   private:
    friend class Channel;
    Channel& channel_;
    T value_;
    bool accepted_ = false;
    bool cancelled_ = false;
  };

  class Pop final : public QueuedLeaf {
   public:
    explicit Pop(Channel& channel) : channel_(channel) {}

    bool await_ready() const noexcept { return false; }
    template <Scoped Promise>
    bool await_suspend(std::coroutine_handle<Promise> waiter) {
      cancelled_ = !this->suspend(waiter);
      if (cancelled_) return false;
      value_ = channel_.try_pop();
      if (value_.has_value() || channel_.closed_) return false;
      channel_.poppers_.push_back(*this);
      return true;
    }
    std::optional<T> await_resume() {
      if (cancelled_) throw Cancelled();
      return std::move(value_);
    }

    void on_cancel() noexcept override {
      this->leave_queue();
      cancelled_ = true;
      this->wake();
    }

   private:
    friend class Channel;
    Channel& channel_;
    std::optional<T> value_;
    bool cancelled_ = false;
  };

  // True if the push is decided: handed over, stored, or refused.
  bool offer(Push& push) {
    if (closed_) return true;
    if (Pop* pop = poppers_.pop_front()) {
      pop->value_.emplace(std::move(push.value_));
      pop->wake();
    } else if (values_.size() < capacity_) {
      values_.push_back(std::move(push.value_));
    } else {
      return false;
    }
    push.accepted_ = true;
    return true;
  }

  const std::size_t capacity_;
  bool closed_ = false;
  Ring<T> values_;
  IntrusiveList<Push, WaitTag> pushers_;  // Only while full.
  IntrusiveList<Pop, WaitTag> poppers_;   // Only while empty.
};

}  // namespace postferry
