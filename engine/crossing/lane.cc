#include "engine/crossing/lane.h"

#include <chrono>

#include "engine/async/scope.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"

namespace postferry {

namespace {

constexpr std::chrono::seconds kGoodbye{5};

Task<void> connect_source(Lane& lane, Source& source) {
  Executor& executor = (co_await current_scope()).executor();
  const TimePoint begun = executor.now();
  lane.source = co_await source.connect();
  lane.source_took = executor.now() - begun;
}

Task<void> connect_target(Lane& lane, Target& target) {
  Executor& executor = (co_await current_scope()).executor();
  const TimePoint begun = executor.now();
  lane.target = co_await target.connect();
  lane.target_took = executor.now() - begun;
}

}  // namespace

Task<void> connect(Lane& lane, Source& source, Target& target) {
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    if (!lane.source) group.spawn(connect_source(lane, source));
    if (!lane.target) group.spawn(connect_target(lane, target));
    co_await group.join();
  });
}

Task<void> say_goodbye(Lane& lane, Observer& observer) {
  try {
    co_await with_timeout(kGoodbye, with_group([&lane](TaskGroup& group) -> Task<void> {
                            if (lane.source) group.spawn(lane.source->logout());
                            if (lane.target) group.spawn(lane.target->logout());
                            co_await group.join();
                          }));
  } catch (const TimedOut&) {
    observer.note(Level::debug, "a server did not answer the goodbye");
  }
  lane = {};
}

Task<void> say_goodbye(std::vector<Lane> lanes, Observer& observer) {
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    for (Lane& lane : lanes) group.spawn(say_goodbye(lane, observer));
    co_await group.join();
  });
}

}  // namespace postferry
