#include "engine/both_ends.h"

#include <utility>

#include "engine/async/task_group.h"

namespace postferry {

Task<std::optional<Error>> refusal_of(Task<void> task) {
  std::optional<Error> refused;
  try {
    co_await std::move(task);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::rejected) throw;
    refused = error;
  }
  co_return refused;
}

Task<void> at_both_ends(Task<void> one, Task<void> other) {
  std::optional<Error> refused;
  const auto noted = [&refused](Task<void> task) -> Task<void> {
    std::optional<Error> error = co_await refusal_of(std::move(task));
    if (error) refused = std::move(error);
  };
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(noted(std::move(one)));
    group.spawn(noted(std::move(other)));
    co_await group.join();
  });
  if (refused) throw *refused;
}

}  // namespace postferry
