// Rows whose target UID became void, and whose message no catalogue entry is known to be: it has
// left the source, or its name is void as well. Their copies are looked for among the strangers.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/strangers.h"
#include "engine/target.h"

namespace postferry {

class Orphans {
 public:
  Orphans(const std::vector<MessageRow>& rows, const TargetTraits& traits);
  bool none() const { return by_size_.empty(); }

  /// Those whose copy is among the strangers, by size, date and bytes, with its UID. They are
  /// orphans no more. Nothing is read where no size and date agree.
  Task<std::vector<MessageRow>> find_by_bytes(TargetSession& target, const Strangers& strangers);
  /// The same for those whose bytes nobody noted, or the target may have changed, by size, date and
  /// (where it was noted) header; what is spoken for is passed over, and so is for what we left at
  /// the source what is `wanted`. `headers`: header_hash() of the strangers.
  std::vector<MessageRow> find_by_look(const Strangers& strangers,
                                       const std::map<Uid, std::uint64_t>& headers,
                                       const std::set<Uid>& wanted);
  /// Whether this may be the copy of one of those, or of any that has its header: the target may
  /// tell another size than was sent.
  bool may_have_copy(const TargetEntry& entry, std::optional<std::uint64_t> header) const;

 private:
  template <class Is>
  const MessageRow* find(const TargetEntry& entry, Is is) const;
  template <class Is>
  bool take(const TargetEntry& entry, std::vector<MessageRow>& found, Is is);

  std::map<std::uint64_t, std::vector<MessageRow>> by_size_;
  std::multiset<std::uint64_t> headers_;
  bool bytes_stay_;  // on the way to this target
};

}  // namespace postferry
