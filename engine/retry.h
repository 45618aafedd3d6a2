// What to do about an Error: the one place where its kind decides. Pure, but for the wait.
#pragma once

#include <chrono>

#include "engine/async/executor.h"
#include "engine/async/task.h"
#include "engine/crossing.h"
#include "engine/error.h"

namespace postferry {

enum class Remedy {
  again,        // after a wait: the line, the server or its patience failed
  next_folder,  // this folder cannot be done; the others can
  stop,         // the account cannot go on
};

Remedy remedy_for(const Error& error);

/// How long to wait before the `attempt`-th try in a row (1 is the first): as the server asks, else
/// doubling from one second to a minute.
std::chrono::milliseconds backoff(const Error& error, int attempt);

/// Sleeps, but not past a stop request by more than a moment.
Task<void> wait_unless_stopped(std::chrono::milliseconds delay, const StopRequest& stop);

}  // namespace postferry
