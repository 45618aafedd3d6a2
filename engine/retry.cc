#include "engine/retry.h"

#include <algorithm>

#include "engine/async/timeout.h"

namespace postferry {

Remedy remedy_for(const Error& error) {
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

std::chrono::milliseconds backoff(const Error& error, int attempt) {
  if (error.retry_after()) return *error.retry_after();
  const int doublings = std::clamp(attempt - 1, 0, 6);
  return std::min(std::chrono::milliseconds(1000) * (1 << doublings),
                  std::chrono::milliseconds(60'000));
}

Task<void> wait_unless_stopped(std::chrono::milliseconds delay, const StopRequest& stop) {
  constexpr std::chrono::milliseconds kGlance{200};
  while (delay.count() > 0 && !stop.requested()) {
    const auto nap = std::min(delay, kGlance);
    co_await sleep_for(nap);
    delay -= nap;
  }
}

}  // namespace postferry
