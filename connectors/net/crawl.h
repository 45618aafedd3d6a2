// Tells a line that crawls. Some providers slow a line down so once a limit of the day is used up,
// and say nothing (Gmail: under 1 KiB a second).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "engine/async/executor.h"

namespace postferry::net {

/// Of the time that went by in the middle of bodies: whoever waits there waits for the line, not
/// for a server that thinks.
class Crawl {
 public:
  static constexpr std::int64_t kBytesPerSecond = 1024;

  /// A read in the middle of a body.
  void waited(Duration time, std::uint64_t bytes) {
    waited_ += std::min(time, kLongest);
    bytes_ += bytes;
    if (waited_ < kMinute) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited_).count();
    seen_ = seen_ || bytes_ < static_cast<std::uint64_t>(seconds * kBytesPerSecond);
    waited_ = {};
    bytes_ = 0;
  }

  /// Whether a minute of waiting brought less than 1 KiB a second, since this was last asked.
  bool seen() { return std::exchange(seen_, false); }

 private:
  static constexpr Duration kMinute = std::chrono::minutes(1);
  static constexpr Duration kLongest = std::chrono::seconds(15);  // a halt is no crawl

  Duration waited_{};
  std::uint64_t bytes_ = 0;
  bool seen_ = false;
};

}  // namespace postferry::net
