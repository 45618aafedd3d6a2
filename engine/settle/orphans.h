// Rows whose target UID became void, and whose message no catalogue entry is known to be: it has
// left the source, or its name is void as well. Their copies are looked for among the strangers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/settle/strangers.h"
#include "engine/target.h"

namespace postferry {

class Orphans {
 public:
  Orphans(const std::vector<MessageRow>& rows, const TargetTraits& traits);
  bool none() const { return by_size_.empty(); }

  /// One of this size, whose bytes are known, may be there.
  bool any_sized(std::uint64_t size_bytes) const;

  /// Those whose copy is among the strangers, by date and bytes, with its UID. They are orphans no
  /// more. Nothing is read where no date agrees, and neither a size nor a header: a target may tell
  /// sizes of its own. `headers`: header_hash() of the strangers; `sizes`: what else some may have.
  Task<std::vector<MessageRow>> find_by_bytes(TargetSession& target, const Strangers& strangers,
                                              const std::map<Uid, std::uint64_t>& headers,
                                              const std::map<Uid, std::uint64_t>& sizes);
  /// The same for those whose bytes nobody noted, or the target may have changed, by size, date and
  /// (where it was noted) header; what is spoken for is passed over, and so is for what we left at
  /// the source what is `wanted`.
  std::vector<MessageRow> find_by_look(const Strangers& strangers,
                                       const std::map<Uid, std::uint64_t>& headers,
                                       const std::set<Uid>& wanted);
  /// Whether this may be the copy of one of those, or of any that has its header: the target may
  /// tell another size than was sent.
  bool may_have_copy(const TargetEntry& entry, std::optional<std::uint64_t> header) const;

 private:
  using Place = std::optional<std::size_t>;  // in rows_

  template <class Is>
  Place find_by_size(const TargetEntry& entry, Is is) const;
  template <class Is>
  Place find_by_header(const TargetEntry& entry, std::optional<std::uint64_t> header, Is is) const;
  /// It is an orphan no more.
  MessageRow take(std::size_t at, Uid uid);

  std::vector<MessageRow> rows_;
  std::multimap<std::uint64_t, std::size_t> by_size_, by_header_;  // places in rows_
  bool bytes_stay_;                                                // on the way to this target
};

}  // namespace postferry
