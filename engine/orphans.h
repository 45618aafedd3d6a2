// Rows whose target UID became void and whose message the source has no longer: their copies are
// looked for among what the target holds, by size and date. Knows no server and no bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/follow.h"
#include "engine/journal.h"
#include "engine/target.h"

namespace postferry {

class Orphans {
 public:
  explicit Orphans(const std::vector<MessageRow>& rows) {
    for (const MessageRow& row : rows) by_size_[row.size_bytes].push_back(row);
  }

  /// One that may have `entry` for its copy, of those that `is` holds for; null if there is none.
  template <class Is>
  const MessageRow* find(const TargetEntry& entry, Is is) const {
    const auto group = by_size_.find(entry.size_bytes);
    if (group == by_size_.end()) return nullptr;
    const auto row = std::ranges::find_if(group->second, [&](const MessageRow& orphan) {
      return is_copy_of(orphan, entry) && is(orphan);
    });
    return row == group->second.end() ? nullptr : &*row;
  }

  /// The same, and it is none any more.
  template <class Is>
  std::optional<MessageRow> take(const TargetEntry& entry, Is is) {
    const MessageRow* found = find(entry, is);
    if (!found) return std::nullopt;
    std::vector<MessageRow>& group = by_size_.at(entry.size_bytes);
    MessageRow row = *found;
    group.erase(group.begin() + (found - group.data()));
    return row;
  }

 private:
  std::map<std::uint64_t, std::vector<MessageRow>> by_size_;
};

}  // namespace postferry
