// What sessions on files share: the time of day, and waiting for another program's lock.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/async/blocking.h"
#include "engine/async/task.h"

namespace postferry::files {

/// The time of day, in nanoseconds since 1970.
using Moment = std::int64_t;
/// Now, as the loop's clock tells it.
Task<Moment> moment();

/// Runs `job` off the loop, again and again until it says true. Throws Error{transient} after a
/// minute. `place` is for people.
Task<void> patiently(Blocking& blocking, std::function<bool()> job, std::string place);

}  // namespace postferry::files
