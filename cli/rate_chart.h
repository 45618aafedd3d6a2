// How fast a run went, as a picture: SVG to stand in an HTML page. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace postferry::cli {

/// What arrived in each step of time.
struct Rates {
  std::int64_t from = 0;  // seconds since 1970 UTC: where the first step begins
  std::int64_t until = 0;
  std::int64_t step_seconds = 1;
  std::vector<std::uint64_t> messages, bytes;  // one for each step

  /// Adds other rates of the same time or a part of it; what falls into one step of theirs counts
  /// at its middle.
  Rates& operator+=(const Rates& other);
};

/// Steps at most in a chart.
constexpr std::int64_t kRateSteps = 200;

/// Steps for a run of this time, all of them empty.
Rates empty_rates(std::int64_t from, std::int64_t until);

/// Messages and bytes a second, one above the other, with axes, the average and the peak; `small`:
/// lower, for one of many. Nothing where the run was too short to have a shape.
std::string rate_chart(const Rates& rates, bool small);

}  // namespace postferry::cli
