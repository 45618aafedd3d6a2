// Semaphore: a number of permits that tasks of one loop take and give back. Strictly first come,
// first served: a small request never overtakes a large one. The memory budget and the session
// limits stand on it.
#pragma once

#include <cassert>
#include <cstdint>
#include <utility>

#include "engine/async/leaf.h"
#include "engine/async/task.h"

namespace postferry {

class Permit;

class Semaphore {
 public:
  explicit Semaphore(std::int64_t permits) : available_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Waits for `n` permits. Permits once granted are kept, even if a cancel comes before the
  // coroutine goes on; a Cancelled took none. More than will ever be there waits for ever.
  inline Task<void> acquire(std::int64_t n = 1);

  // As acquire, and gives them back when the Permit dies. The semaphore must outlive it.
  inline Task<Permit> acquire_permit(std::int64_t n = 1);

  // Takes `n` permits if they are there and nobody waits.
  bool try_acquire(std::int64_t n = 1) {
    assert(n >= 0);
    if (!waiters_.empty() || available_ < n) return false;
    available_ -= n;
    return true;
  }

  // Gives `n` permits back (or adds new ones) and grants what can be granted, in order.
  void release(std::int64_t n = 1) {
    assert(n >= 0);
    available_ += n;
    grant();
  }

  std::int64_t available() const { return available_; }

 private:
  class Acquire final : public QueuedLeaf {
   public:
    Acquire(Semaphore& semaphore, std::int64_t n) : semaphore_(semaphore), n_(n) {}

    bool await_ready() const noexcept { return false; }
    template <Scoped Promise>
    bool await_suspend(std::coroutine_handle<Promise> waiter) {
      cancelled_ = !suspend(waiter);
      if (cancelled_ || semaphore_.try_acquire(n_)) return false;
      semaphore_.waiters_.push_back(*this);
      return true;
    }
    void await_resume() const {
      if (cancelled_) throw Cancelled();
    }

    void on_cancel() noexcept override {
      leave_queue();
      cancelled_ = true;
      wake();
      semaphore_.grant();  // It may have been the one that all others waited behind.
    }

   private:
    friend class Semaphore;
    Semaphore& semaphore_;
    std::int64_t n_;
    bool cancelled_ = false;
  };

  void grant() {
    while (Acquire* next = waiters_.front()) {
      if (available_ < next->n_) return;
      available_ -= next->n_;
      next->leave_queue();
      next->wake();
    }
  }

  std::int64_t available_;
  IntrusiveList<Acquire, WaitTag> waiters_;
};

// Permits that are given back when it dies. Move-only.
class Permit {
 public:
  Permit() = default;
  Permit(Semaphore& semaphore, std::int64_t n) : semaphore_(&semaphore), n_(n) {}
  Permit(Permit&& other) noexcept
      : semaphore_(std::exchange(other.semaphore_, nullptr)), n_(std::exchange(other.n_, 0)) {}
  Permit& operator=(Permit&& other) noexcept {
    if (this != &other) {
      release();
      semaphore_ = std::exchange(other.semaphore_, nullptr);
      n_ = std::exchange(other.n_, 0);
    }
    return *this;
  }
  ~Permit() { release(); }

  // Gives them back now; a second call does nothing.
  void release() {
    if (Semaphore* semaphore = std::exchange(semaphore_, nullptr)) {
      semaphore->release(std::exchange(n_, 0));
    }
  }

  std::int64_t count() const { return n_; }

 private:
  Semaphore* semaphore_ = nullptr;
  std::int64_t n_ = 0;
};

inline Task<void> Semaphore::acquire(std::int64_t n) { co_await Acquire(*this, n); }

inline Task<Permit> Semaphore::acquire_permit(std::int64_t n) {
  co_await Acquire(*this, n);
  co_return Permit(*this, n);
}

}  // namespace postferry
