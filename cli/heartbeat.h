// Calls something regularly on the loop, for as long as it lives.
#pragma once

#include <functional>
#include <utility>

#include "engine/async/executor.h"

namespace postferry::cli {

class Heartbeat {
 public:
  /// The first beat comes after one `period`. The executor must outlive it.
  Heartbeat(Executor& executor, Duration period, std::function<void()> beat)
      : executor_(executor), period_(period), beat_(std::move(beat)) {
    arm();
  }
  ~Heartbeat() { executor_.cancel_timer(timer_); }
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  void arm() {
    timer_ = executor_.start_timer(executor_.now() + period_, [this] {
      arm();
      beat_();
    });
  }

  Executor& executor_;
  const Duration period_;
  const std::function<void()> beat_;
  TimerId timer_ = TimerId::kNone;
};

}  // namespace postferry::cli
