// The executor of the real program: a libuv loop, the system's clocks, and signals.
// Must not know what the coroutines do.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/async/executor.h"

namespace postferry::net {

/// One loop, for one thread. Whatever lives on it (sockets, look-ups, the threads that report to
/// it) is destroyed first. The destructor closes what was given to libuv; it may wait for a name
/// look-up that the system is still busy with.
///
/// post() makes no system call: ready coroutines run in batches, and the loop looks at its sockets
/// after a number of batches, or when nothing is ready.
class UvExecutor final : public Executor {
 public:
  UvExecutor();
  UvExecutor(const UvExecutor&) = delete;
  UvExecutor& operator=(const UvExecutor&) = delete;
  ~UvExecutor() override;

  void post(std::coroutine_handle<> coroutine) override;
  void post_from_thread(std::function<void()> callback) override;
  TimePoint now() const override;
  std::chrono::system_clock::time_point wall_clock() const override;
  TimerId start_timer(TimePoint when, std::function<void()> callback) override;
  void cancel_timer(TimerId timer) override;
  /// With nothing to do and nothing to wait for it waits for post_from_thread or a signal.
  void run_until(std::function<bool()> done) override;

  /// From now on `callback` runs on the loop, with the signal's number, each time it arrives; it
  /// replaces the former one. A null callback gives the signal its old meaning back. A signal comes
  /// through only while run_until runs.
  void on_signal(int signal, std::function<void(int)> callback);

  /// For the rest of connectors/net. A callback of libuv must not throw, and may call post and
  /// Completion's set_ functions.
  uv_loop_t* loop() { return &loop_; }

 private:
  using Key = std::pair<TimePoint, TimerId>;
  struct SignalWatch;

  void poll();
  void run_signal_callbacks();
  void run_posted_callbacks();
  void run_due_timers();

  uv_loop_t loop_;
  uv_async_t wake_;
  uv_timer_t alarm_;
  bool polling_ = false;

  ReadyQueue ready_;
  std::uint64_t last_timer_ = 0;
  std::map<Key, std::function<void()>> timers_;
  std::unordered_map<TimerId, TimePoint> when_;
  std::map<int, SignalWatch*> signals_;
  std::vector<int> arrived_signals_;

  std::mutex mutex_;
  std::vector<std::function<void()>> external_;  // guarded by mutex_
};

}  // namespace postferry::net
