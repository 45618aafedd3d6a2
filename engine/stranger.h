// What settle has before it: a message on the target that is nobody's, as far as is known.
#pragma once

#include <cstdint>
#include <map>

#include "engine/match.h"
#include "engine/target.h"

namespace postferry {

/// A target message that no row names and nothing has matched so far.
struct Stranger {
  TargetEntry entry;
  Likeness likeness;
  std::uint64_t header = 0;  // header_hash()
};

using Strangers = std::map<Uid, Stranger>;

}  // namespace postferry
