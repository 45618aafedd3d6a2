#include "engine/crossing/retry.h"

#include <algorithm>

#include "engine/async/scope.h"
#include "engine/async/timeout.h"

namespace postferry {

Remedy remedy_for(const Error& error) {
  if (error.retry_after() && *error.retry_after() > kLongestWait) return Remedy::stop;
  switch (error.kind()) {
    case ErrorKind::transient:
    case ErrorKind::unreachable:
    case ErrorKind::throttled:
    case ErrorKind::protocol:
      return Remedy::again;
    case ErrorKind::rejected:
      return Remedy::next_folder;
    case ErrorKind::auth:
    case ErrorKind::quota:
    case ErrorKind::tls:
    case ErrorKind::local:
    case ErrorKind::journal:
    case ErrorKind::usage:
      return Remedy::stop;
  }
  return Remedy::stop;
}

std::chrono::milliseconds backoff(const Error& error, int attempt, std::uint64_t dice) {
  using std::chrono::milliseconds;
  if (error.retry_after()) return std::min(*error.retry_after(), milliseconds(kLongestWait));
  const int doublings = std::clamp(attempt - 1, 0, 6);
  const milliseconds whole = std::min(milliseconds(1000) * (1 << doublings), milliseconds(60'000));
  // From three quarters to five, so that sessions that fell together do not come back together.
  const auto spread = whole.count() / 2;
  return milliseconds(whole.count() - spread / 2 +
                      static_cast<std::int64_t>(dice % static_cast<std::uint64_t>(spread + 1)));
}

Task<void> wait_to_try_again(Error error, int attempt, Observer& observer,
                             const StopRequest& stop) {
  constexpr std::chrono::milliseconds kGlance{200};
  // Any number that differs from one session to the next will do.
  const auto now = (co_await current_scope()).executor().wall_clock().time_since_epoch().count();
  const auto dice = static_cast<std::uint64_t>(now) * 0x9E3779B97F4A7C15u >> 32;
  std::chrono::milliseconds delay = backoff(error, attempt, dice);
  observer.note(Level::warning, std::string(error.what()) + "; trying again in " +
                                    std::to_string((delay.count() + 999) / 1000) + " s");
  while (delay.count() > 0 && !stop.requested()) {
    const auto nap = std::min(delay, kGlance);
    co_await sleep_for(nap);
    delay -= nap;
  }
}

}  // namespace postferry
