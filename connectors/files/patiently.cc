#include "connectors/files/patiently.h"

#include <chrono>

#include "engine/async/scope.h"
#include "engine/async/timeout.h"
#include "engine/error.h"

namespace postferry::files {

Task<Moment> moment() {
  const auto now = (co_await current_scope()).executor().wall_clock().time_since_epoch();
  co_return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

Task<void> patiently(Blocking& blocking, std::function<bool()> job, std::string place) {
  constexpr std::chrono::milliseconds kGlance{50};
  constexpr std::chrono::seconds kMost{60};
  for (std::chrono::milliseconds waited{}; waited < kMost; waited += kGlance) {
    const bool done = co_await blocking.run(job);
    if (done) co_return;
    co_await sleep_for(kGlance);
  }
  throw Error(ErrorKind::transient, "another program holds the folder's lock, and does not end",
              printable(place));
}

}  // namespace postferry::files
