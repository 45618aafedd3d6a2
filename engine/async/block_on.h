// block_on: the one place where code that is not a coroutine runs one, and the loop, to its end.
#pragma once

#include <utility>

#include "engine/async/executor.h"
#include "engine/async/scope.h"
#include "engine/async/task.h"

namespace postferry {

// Runs `task` in `root` until it has ended; returns its value or throws its exception. Main keeps
// `root` and cancels it from a callback of the loop, on SIGINT. If a callback of the loop throws,
// that leaves through here and the task's frames are destroyed where they stand.
template <class T>
T block_on(Scope& root, Task<T> task) {
  Task<T> rooted = std::move(task).in(root);
  const auto handle = rooted.handle();
  root.executor().post(handle);
  root.executor().run_until([handle] { return handle.done(); });
  return handle.promise().take();
}

// In a root scope of its own, which nobody cancels.
template <class T>
T block_on(Executor& executor, Task<T> task) {
  Scope root(executor);
  return block_on(root, std::move(task));
}

}  // namespace postferry
