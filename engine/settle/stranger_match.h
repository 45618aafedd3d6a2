// Finds source messages among the strangers on the target, with no more memory than they take
// themselves: only what bytes must decide is kept, and that in parts.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "engine/async/task.h"
#include "engine/settle/body_digests.h"
#include "engine/settle/source_likenesses.h"
#include "engine/settle/strangers.h"

namespace postferry {

/// Catalogue entries a part at a time, in the order of preference; an empty part is the end.
using Indices = std::function<std::vector<std::uint32_t>()>;

/// Of these entries those that look like messages which have their copies.
using KnownLooks = std::function<Task<std::set<std::uint32_t>>(std::vector<std::uint32_t>)>;

struct StrangerMatchRequest {
  SourceSession& source;  // with the folder selected
  TargetSession& target;  // with the target folder selected
  const Catalogue& catalogue;
  SourceLikenesses& likenesses;
  Strangers& strangers;
  Comparison comparison;
  KnownLooks known_looks;      // may be empty; asked for those whose headers would decide
  bool more_may_come = false;  // see Ambiguous
};

/// The multiset match of match.h, all of `indices` against all strangers that are left. Each pair
/// is told once, by the entry and the stranger's place; who takes it takes the stranger.
Task<void> match_strangers(StrangerMatchRequest request, Indices indices,
                           std::function<Task<void>(std::size_t index, std::size_t place)> pair);

}  // namespace postferry
