// What to do about an Error: the one place where its kind decides. Pure, but for the wait.
#pragma once

#include <chrono>
#include <cstdint>

#include "engine/async/executor.h"
#include "engine/async/task.h"
#include "engine/crossing/crossing.h"
#include "engine/error.h"

namespace postferry {

enum class Remedy {
  again,        // after a wait: the line, the server or its patience failed
  next_folder,  // this folder cannot be done; the others can
  stop,         // the account cannot go on
};

Remedy remedy_for(const Error& error);

/// No server is waited for longer at a time. One that asks for more ends the account, whose caller
/// may have others to carry meanwhile.
constexpr std::chrono::hours kLongestWait{1};

/// How long to wait before the `attempt`-th try in a row (1 is the first): as the server asks, else
/// doubling from one second to a minute, a quarter more or less as the `dice` (any number) fall.
std::chrono::milliseconds backoff(const Error& error, int attempt, std::uint64_t dice);

/// Says that `error` is tried again, and waits as backoff() tells; but not past a stop request by
/// more than a moment.
Task<void> wait_to_try_again(Error error, int attempt, Observer& observer, const StopRequest& stop);

}  // namespace postferry
