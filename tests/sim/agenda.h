// What the world outside the program will do, and when: deliveries, servers at work, users. It goes
// on when the program crashes, unlike the executor's own timers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "engine/async/manual_executor.h"

namespace postferry::sim {

class Agenda {
 public:
  explicit Agenda(ManualExecutor& executor) : executor_(executor) {}

  TimePoint now() const { return executor_.now(); }
  void at(TimePoint when, std::function<void()> event) {
    const Key key(std::max(when, now()), ++last_);
    events_.emplace(key, std::move(event));
    watch(key);
  }
  void after(Duration delay, std::function<void()> event) { at(now() + delay, std::move(event)); }

  /// The program has crashed, and the executor forgotten everything.
  void outlive_crash() {
    executor_.clear();
    for (const auto& [key, event] : events_) watch(key);
  }
  /// Lets time pass until nothing is planned any more. Only while no program runs.
  void drain() {
    executor_.run_until([this] { return events_.empty(); });
  }
  bool empty() const { return events_.empty(); }
  std::size_t size() const { return events_.size(); }

 private:
  using Key = std::pair<TimePoint, std::uint64_t>;

  void watch(Key key) {
    executor_.start_timer(key.first, [this, key] {
      const auto found = events_.find(key);
      const std::function<void()> event = std::move(found->second);
      events_.erase(found);
      event();
    });
  }

  ManualExecutor& executor_;
  std::map<Key, std::function<void()>> events_;
  std::uint64_t last_ = 0;
};

}  // namespace postferry::sim
