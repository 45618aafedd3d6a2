// What messages of the source look like to a match, each read once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/async/task.h"
#include "engine/catalogue.h"
#include "engine/match.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

class SourceLikenesses {
 public:
  /// All outlive it; the source has the catalogue's folder selected.
  SourceLikenesses(SourceSession& source, const Catalogue& catalogue, const TargetSession& target)
      : source_(source), catalogue_(catalogue), target_(target) {}

  /// Of these catalogue entries, in their order, as the target would tell them; what has gone
  /// meanwhile is left out. Headers are read in parts.
  Task<std::vector<Likeness>> likenesses(std::vector<std::size_t> indices);
  /// header_hash() of one that was read.
  std::optional<std::uint64_t> header(std::size_t index) const;

 private:
  SourceSession& source_;
  const Catalogue& catalogue_;
  const TargetSession& target_;
  std::map<std::size_t, Likeness> likeness_;
  std::map<std::size_t, std::uint64_t> header_;
};

}  // namespace postferry
