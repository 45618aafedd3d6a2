// What goes wrong at a server, and when: decided by whoever writes the schedule, met by the models.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace postferry::sim {

enum class Moment { greeting, command, before_append, after_append, fetch, deletion };
enum class Mishap { none, cut, stall, bye, unavailable, throttled, over_quota, rebuild, refuse };

/// The `nth` time that `moment` comes, counted from 0.
struct PlannedMishap {
  Moment moment;
  std::uint64_t nth = 0;
  Mishap mishap = Mishap::none;
};

/// Hands out what is planned, each once.
class Misfortune {
 public:
  std::vector<PlannedMishap> plan;

  Mishap now(Moment moment) {
    std::uint64_t& count = counts_[static_cast<std::size_t>(moment)];
    const std::uint64_t nth = count++;
    for (const PlannedMishap& planned : plan)
      if (planned.moment == moment && planned.nth == nth) return planned.mishap;
    return Mishap::none;
  }
  void clear() {
    plan.clear();
    for (std::uint64_t& count : counts_) count = 0;
  }

 private:
  std::uint64_t counts_[8] = {};
};

/// How a server goes on with what it got from a line that is down.
struct Lateness {
  std::uint64_t pause_us = 0;  // at most, before it goes on
  std::uint64_t step_us = 0;   // at most, for each command then
  std::uint64_t gives_up_one_in = 3;
};

}  // namespace postferry::sim
