// Random programs over all primitives at once, with time limits, failures and cancels wherever
// they fall. Whatever happens: no value is lost or doubled, no permit leaks, no frame, timer or
// waiter is left. A failing program is replayed by its seed.
#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <stdexcept>

#include "engine/async/blocking.h"
#include "engine/async/channel.h"
#include "engine/async/event.h"
#include "engine/async/semaphore.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

constexpr std::int64_t kPermits = 5;
constexpr int kMostNesting = 3;

struct Failure {};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), channel_(1 + below(4)) {}

  Task<void> program(int nesting) {
    const Live frame(live_);
    const std::uint64_t steps = 1 + below(12);
    for (std::uint64_t i = 0; i < steps; ++i) {
      bool timed_out = false;
      try {
        if (below(3) == 0) {
          co_await with_timeout(std::chrono::milliseconds(below(30)), step(nesting));
        } else {
          co_await step(nesting);
        }
      } catch (const TimedOut&) {
        timed_out = true;
      }
      if (timed_out && below(2) == 0) co_await shielded(push());
    }
  }

  Task<void> consume() {
    const Live frame(live_);
    while (auto value = co_await channel_.pop()) {
      popped_ += *value;
      if (below(4) == 0) co_await sleep_for(std::chrono::milliseconds(below(3)));
    }
  }

  // All programs beside a consumer that ends when they have.
  Task<void> everything() {
    co_await with_group([this](TaskGroup& consumers) -> Task<void> {
      consumers.spawn(shielded(consume()));
      bool failed = false;
      try {
        co_await with_group([this](TaskGroup& group) -> Task<void> {
          for (int i = 0; i < 6; ++i) group.spawn(program(0));
          co_await group.join();
        });
      } catch (const Failure&) {
        failed = true;
      } catch (const Cancelled&) {
        failed = true;
      }
      if (failed) co_await shielded(sleep_for(1ms));
      channel_.close();
    });
  }

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  std::int64_t available() const { return semaphore_.available(); }
  std::int64_t pushed() const { return pushed_; }
  std::int64_t popped() const { return popped_; }
  int live() const { return live_; }

 private:
  Task<void> push() {
    const Live frame(live_);
    const auto value = static_cast<std::int64_t>(1 + below(1000));
    const bool accepted = co_await channel_.push(value);
    if (accepted) pushed_ += value;
  }

  Task<void> step(int nesting) {
    const Live frame(live_);
    switch (below(11)) {
      case 0:
      case 1:
      case 2:
        co_await push();
        break;
      case 3:
        if (const auto value = channel_.try_pop()) popped_ += *value;
        break;
      case 4: {
        const auto wanted = static_cast<std::int64_t>(1 + below(kPermits));
        const Permit permit = co_await semaphore_.acquire_permit(wanted);
        co_await sleep_for(std::chrono::milliseconds(below(5)));
        break;
      }
      case 5:
        co_await sleep_for(std::chrono::milliseconds(below(20)));
        break;
      case 6:
        co_await yield();
        break;
      case 7:
        event_.set();
        co_await event_.wait();
        if (below(2) == 0) event_.reset();
        break;
      case 8:
        co_await blocking_.run([] {});
        break;
      case 9:
        if (below(12) == 0) throw Failure();
        break;
      default:
        if (nesting < kMostNesting) co_await nest(nesting + 1);
    }
  }

  Task<void> nest(int nesting) {
    const bool gives_up = below(4) == 0;
    co_await with_group([this, nesting, gives_up](TaskGroup& group) -> Task<void> {
      for (std::uint64_t i = 0; i < 3; ++i) group.spawn(program(nesting));
      if (gives_up) {
        co_await sleep_for(std::chrono::milliseconds(below(10)));
        group.cancel();
      }
      co_await group.join();
    });
  }

  std::mt19937_64 random_;
  Channel<std::int64_t> channel_;
  Semaphore semaphore_{kPermits};
  Event event_;
  InlineBlocking blocking_;
  std::int64_t pushed_ = 0;
  std::int64_t popped_ = 0;
  int live_ = 0;
};

TEST_CASE("random programs with failures, limits and cancels keep every promise") {
  int cancelled = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    ManualExecutor executor;
    World world(seed);
    Scope root(executor);
    TimerId stop = TimerId::kNone;
    if (seed % 2 == 0) {
      const auto delay = std::chrono::milliseconds(world.below(60));
      stop = executor.start_timer(executor.now() + delay, [&root] { root.cancel(); });
    }
    try {
      block_on(root, world.everything());
    } catch (const Cancelled&) {
      ++cancelled;
    }
    executor.cancel_timer(stop);
    REQUIRE(world.live() == 0);
    REQUIRE(world.available() == kPermits);
    REQUIRE(world.pushed() == world.popped());
    REQUIRE(executor.idle());
  }
  CHECK(cancelled < 500);
}

TEST_CASE("a crash at any instant of a random program leaves no frame behind") {
  struct Crash {};
  int crashed = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    ManualExecutor executor;
    World world(seed);
    const auto delay = std::chrono::milliseconds(world.below(40));
    executor.start_timer(executor.now() + delay, [] { throw Crash(); });
    try {
      block_on(executor, world.everything());
    } catch (const Crash&) {
      ++crashed;
    }
    executor.clear();
    REQUIRE(world.live() == 0);
  }
  CHECK(crashed > 20);
}

}  // namespace
}  // namespace postferry
