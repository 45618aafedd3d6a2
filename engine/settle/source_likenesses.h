// What messages of the source look like to a match, each read once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "engine/async/task.h"
#include "engine/catalogue.h"
#include "engine/settle/match.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

/// Of one catalogue, until it is another one: then clear() it.
class SourceLikenesses {
 public:
  /// All outlive it; the source has the catalogue's folder selected.
  SourceLikenesses(SourceSession& source, const Catalogue& catalogue, const TargetSession& target)
      : source_(source), catalogue_(catalogue), target_(target) {}

  /// Tells what these catalogue entries look like, in their order, as the target would tell them;
  /// what has gone meanwhile is left out. `take` says whether to remember it, in 20 bytes, or
  /// read it again should it be asked for again. Headers are read in parts.
  Task<void> each(std::vector<std::uint32_t> indices, std::function<bool(const Likeness&)> take);
  /// The same, all at once, and remembered.
  Task<std::vector<Likeness>> of(std::vector<std::uint32_t> indices);
  /// header_hash() of one that was read.
  std::optional<std::uint64_t> header(std::size_t index) const;
  void clear();

 private:
  Task<void> each_of_part(std::vector<std::uint32_t> indices,
                          const std::function<bool(const Likeness&)>& take);
  std::optional<Likeness> remembered(std::uint32_t index) const;
  Task<std::map<std::uint32_t, Likeness>> read(std::vector<MessageKey> keys);
  void remember(std::vector<BriefLikeness> more);

  SourceSession& source_;
  const Catalogue& catalogue_;
  const TargetSession& target_;
  std::vector<BriefLikeness> looks_;    // ascending by their numbers, which are the entries
  std::vector<std::uint64_t> headers_;  // one for each entry, once any was read; 0: not read
};

}  // namespace postferry
