// Servers that tell another size or date of a message than was stored: Exchange's sizes are
// estimates, a scanner may count what it does not show, some keep no date. What bears the UID that
// such a server gave is known by what it is.
#pragma once

#include <set>
#include <vector>

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/target.h"

namespace postferry {

/// A row that this journal appended, and what is at its UID: not of its size and date.
struct DoubtedCopy {
  MessageRow row;
  TargetEntry there;
};

/// The UIDs of those that are what was copied all the same: by their bytes, or on a target that
/// makes messages anew by their header, where that is known.
Task<std::set<Uid>> proved_copies(TargetSession& target, std::vector<DoubtedCopy> doubted);

/// On a target that makes messages anew: reads the headers of what has just been appended from
/// these entries, and notes them in the rows, so that it can be known later.
Task<void> note_headers(TargetSession& target, Journal& journal, const FolderRecord& folder,
                        const std::vector<Catalogue::Entry>& appended);

}  // namespace postferry
