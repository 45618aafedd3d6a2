// The seam between coroutines and the loop that runs them: order, time, timers, and the one door
// for other threads. It must not know what the loop is (libuv, or a simulation with virtual time).
//
// Everything here belongs to the loop's thread, except post_from_thread.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "engine/async/ring.h"

namespace postferry {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

// `start` plus `duration`, or the end of time where that would overflow.
constexpr TimePoint after(TimePoint start, Duration duration) {
  if (start.time_since_epoch() > Duration::zero() && duration > TimePoint::max() - start) {
    return TimePoint::max();
  }
  return start + duration;
}

// Names one started timer of one executor; never used twice. kNone is no timer.
enum class TimerId : std::uint64_t { kNone = 0 };

class Executor {
 public:
  virtual ~Executor() = default;

  // Resumes `coroutine` later, in the order of the calls, never inside this call.
  virtual void post(std::coroutine_handle<> coroutine) = 0;

  // From any thread: `callback` runs later on the loop, once. The executor must outlive the
  // thread that calls.
  virtual void post_from_thread(std::function<void()> callback) = 0;

  // Between hold and release an outside thread owes the loop a post_from_thread: a loop with
  // nothing else to do waits for it (a virtual clock stands still meanwhile). Calls nest.
  virtual void hold() {}
  virtual void release() {}

  // Never goes back; measures time between two calls.
  virtual TimePoint now() const = 0;

  // The time of day, for dates and journals, never for measuring.
  virtual std::chrono::system_clock::time_point wall_clock() const = 0;

  // Runs `callback` once on the loop, not before `when`, never inside this call. Timers fire in
  // the order of `when`; those of one instant in the order they were started.
  virtual TimerId start_timer(TimePoint when, std::function<void()> callback) = 0;

  // After it returns the callback never runs. A timer that fired, or kNone, is no error.
  virtual void cancel_timer(TimerId timer) = 0;

  // Runs the loop until `done` is true; asked at least after every batch of resumed coroutines.
  // What a callback throws leaves through here. Not re-entrant.
  virtual void run_until(std::function<bool()> done) = 0;
};

/// Seconds since 1970 UTC by the executor's wall clock.
inline std::int64_t unix_time(const Executor& executor) {
  const auto since = executor.wall_clock().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

// The coroutines that are ready to go on, in order. Every executor has one.
class ReadyQueue {
 public:
  void post(std::coroutine_handle<> coroutine) { queue_.push_back(coroutine); }

  bool empty() const { return queue_.empty(); }

  // Resumes the oldest. The queue must not be empty.
  void run_one() { queue_.pop_front().resume(); }

  // Resumes those that are ready now, not those that they make ready: the loop gets its turn in
  // between. Returns how many ran.
  std::size_t run_batch() {
    const std::size_t batch = queue_.size();
    for (std::size_t i = 0; i < batch && !queue_.empty(); ++i) run_one();
    return batch;
  }

  // Forgets all, resuming none.
  void clear() { queue_.clear(); }

 private:
  Ring<std::coroutine_handle<>> queue_;
};

}  // namespace postferry
