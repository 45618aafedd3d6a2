// ManualExecutor: the loop for tests and simulation. Time is virtual and moves only when nothing
// else is left to do, straight to the next timer: the same program runs the same way every time.
// It must not touch the system's clock.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/async/executor.h"

namespace postferry {

// Nothing is ready, no timer is set, no thread owes a callback, and yet somebody waits.
struct Deadlock : std::logic_error {
  Deadlock() : std::logic_error("deadlock: a task waits for what nobody will do") {}
};

// Throws Deadlock from run_until. Threads may only report between hold and release, or in time for
// a loop that is still busy.
class ManualExecutor final : public Executor {
 public:
  // Where virtual time begins: 2026-01-01 00:00:00 UTC by the wall clock.
  static constexpr std::chrono::system_clock::time_point kEpoch{std::chrono::seconds(1767225600)};

  void post(std::coroutine_handle<> coroutine) override { ready_.post(coroutine); }
  void post_from_thread(std::function<void()> callback) override;
  void hold() override { ++held_; }
  void release() override { --held_; }

  TimePoint now() const override { return now_; }
  std::chrono::system_clock::time_point wall_clock() const override;
  void set_wall_clock(std::chrono::system_clock::time_point time);

  TimerId start_timer(TimePoint when, std::function<void()> callback) override;
  void cancel_timer(TimerId timer) override;

  void run_until(std::function<bool()> done) override;

  // Runs what is ready, and what that makes ready, while the clock stands still. Waits for no
  // thread.
  void run_ready();

  // Lets `duration` pass: every timer due by then fires at its own time, in order, and what it
  // makes ready runs before the next.
  void advance(Duration duration);

  // Forgets everything that is posted or timed and runs none of it: the end of a simulated crash,
  // before the tasks are destroyed or the executor is used again.
  void clear();

  bool idle() const { return ready_.empty() && timers_.empty(); }
  std::size_t timers() const { return timers_.size(); }

 private:
  using Key = std::pair<TimePoint, TimerId>;

  bool run_one();
  bool run_external();
  void wait_external();
  bool fire_next(TimePoint limit);

  ReadyQueue ready_;
  TimePoint now_{};
  Duration wall_offset_{};
  std::uint64_t last_timer_ = 0;
  std::map<Key, std::function<void()>> timers_;
  std::unordered_map<TimerId, TimePoint> when_;

  std::size_t steps_ = 0;
  std::size_t held_ = 0;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::function<void()>> external_;
};

}  // namespace postferry
