#include "engine/pace.h"

#include <algorithm>
#include <chrono>

#include "engine/async/scope.h"
#include "engine/async/timeout.h"

namespace postferry {

Task<void> Pace::take(double amount) {
  const TimePoint now = (co_await current_scope()).executor().now();
  const TimePoint begin = std::max(free_.value_or(now), now);
  free_ = begin +
          std::chrono::duration_cast<Duration>(std::chrono::duration<double>(amount / per_second_));
  if (begin > now) co_await sleep_for(begin - now);
}

}  // namespace postferry
