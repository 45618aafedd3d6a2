// Which folders of an account have anything to do, and in which order they go. One without is not
// opened (DESIGN section 5).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/mapping.h"

namespace postferry {

struct DueRequest {
  Journal& journal;
  Observer& observer;
  const CrossingOptions& options;
  const std::string& selection_hash;
  const std::vector<MappedFolder>& folders;
  const std::map<FolderName, FolderRecord>& records;
  std::vector<FolderTally>& tallies;  // one for each folder; complete where nothing is to be done
  /// Tells of flags where no listing does. Empty afterwards if it was lost over that: then any
  /// folder in doubt is due.
  std::unique_ptr<SourceSession>& source;
};

/// Indices of the folders that are due. What a former run left half done comes first, then the
/// largest, so that no big folder is begun last. Throws as the journal.
Task<std::deque<std::size_t>> what_is_due(DueRequest request);

}  // namespace postferry
