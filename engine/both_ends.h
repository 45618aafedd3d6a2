// What is done at the source and at the target at the same time.
#pragma once

#include <optional>

#include "engine/async/task.h"
#include "engine/error.h"

namespace postferry {

/// Both at once, and neither cut short by a refusal of the other, as both sessions live on:
/// Error{rejected} is thrown when both are over. Anything else that one throws cancels the other.
Task<void> at_both_ends(Task<void> one, Task<void> other);

/// The Error{rejected} that the task ended with, if it did. Throws what else it throws.
Task<std::optional<Error>> refusal_of(Task<void> task);

}  // namespace postferry
