// One session at each end, used together: connecting them and leaving them.
#pragma once

#include <memory>
#include <vector>

#include "engine/async/executor.h"
#include "engine/observer.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

struct Lane {
  std::unique_ptr<SourceSession> source;
  std::unique_ptr<TargetSession> target;
  Duration source_took{}, target_took{};  // to let us in
  bool whole() const { return source && target; }
  /// One of its connections is.
  bool lost() const { return (source && source->lost()) || (target && target->lost()); }
};

/// Connects what is not connected, both ends at once. Throws as their connect().
Task<void> connect(Lane& lane, Source& source, Target& target);

/// Leaves both ends at once, in bounded time; the lane is empty then. Throws only Cancelled.
Task<void> say_goodbye(Lane& lane, Observer& observer);
/// All of these, at once.
Task<void> say_goodbye(std::vector<Lane> lanes, Observer& observer);

}  // namespace postferry
