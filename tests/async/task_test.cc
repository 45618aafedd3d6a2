// Task: children, exceptions, depth, and what it costs the stack: nothing.
#include "engine/async/task.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/timeout.h"

namespace postferry {
namespace {

Task<long> ready(long value) { co_return value; }

Task<long> sum_of_ready_children(long count) {
  long sum = 0;
  for (long i = 0; i < count; ++i) sum += co_await ready(1);
  co_return sum;
}

TEST_CASE("a million children that finish at once do not grow the stack") {
  ManualExecutor executor;
  CHECK(block_on(executor, sum_of_ready_children(1'000'000)) == 1'000'000);
}

}  // namespace
}  // namespace postferry
