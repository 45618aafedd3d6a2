// The loop of ManualExecutor.
#include "engine/async/manual_executor.h"

#include <cassert>

namespace postferry {

namespace {

// Callbacks of threads get their turn at least once in so many steps of a busy loop.
constexpr std::size_t kStepsBetweenLooks = 64;

}  // namespace

void ManualExecutor::post_from_thread(std::function<void()> callback) {
  // Notified under the lock: the loop may end, and the executor die, as soon as it is released.
  const std::lock_guard lock(mutex_);
  external_.push_back(std::move(callback));
  arrived_.notify_one();
}

std::chrono::system_clock::time_point ManualExecutor::wall_clock() const {
  return kEpoch + wall_offset_ + now_.time_since_epoch();
}

void ManualExecutor::set_wall_clock(std::chrono::system_clock::time_point time) {
  wall_offset_ = time - kEpoch - now_.time_since_epoch();
}

TimerId ManualExecutor::start_timer(TimePoint when, std::function<void()> callback) {
  const TimerId timer{++last_timer_};
  timers_.emplace(Key(when, timer), std::move(callback));
  when_.emplace(timer, when);
  return timer;
}

void ManualExecutor::cancel_timer(TimerId timer) {
  const auto found = when_.find(timer);
  if (found == when_.end()) return;
  timers_.erase(Key(found->second, timer));
  when_.erase(found);
}

void ManualExecutor::run_until(std::function<bool()> done) {
  while (!done()) {
    if (run_one()) continue;
    if (held_ > 0) {
      wait_external();
    } else if (!fire_next(TimePoint::max())) {
      throw Deadlock();
    }
  }
}

void ManualExecutor::run_ready() {
  while (run_one()) {
  }
}

void ManualExecutor::advance(Duration duration) {
  const TimePoint end = after(now_, duration);
  run_ready();
  while (fire_next(end)) run_ready();
  now_ = end;
}

void ManualExecutor::clear() {
  ready_.clear();
  timers_.clear();
  when_.clear();
  held_ = 0;
  const std::lock_guard lock(mutex_);
  external_.clear();
}

// One coroutine, or the callbacks of threads. False: there is neither.
bool ManualExecutor::run_one() {
  if (ready_.empty()) return run_external();
  if (++steps_ % kStepsBetweenLooks == 0) run_external();
  ready_.run_one();
  return true;
}

bool ManualExecutor::run_external() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    callbacks.swap(external_);
  }
  for (const auto& callback : callbacks) callback();
  return !callbacks.empty();
}

void ManualExecutor::wait_external() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return !external_.empty(); });
}

// Fires the next timer due by `limit`, at its time. False: there is none.
bool ManualExecutor::fire_next(TimePoint limit) {
  const auto next = timers_.begin();
  if (next == timers_.end() || next->first.first > limit) return false;
  const auto [when, timer] = next->first;
  const std::function<void()> callback = std::move(next->second);
  when_.erase(timer);
  timers_.erase(next);
  if (when > now_) now_ = when;
  callback();
  return true;
}

}  // namespace postferry
