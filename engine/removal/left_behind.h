// Messages that --after-copy would have removed from the source, and that stay there until the user
// says what shall become of them. Each has its row, and beside it a failure that says why; as soon
// as the row is written anew, as after another copy, the failure is over.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/observer.h"

namespace postferry {

struct LeftBehind {
  Journal& journal;
  Observer& observer;
  const FolderRecord& folder;
  RunId run;
  std::map<MessageKey, LeftBecause> left;  // what stays, and why
  std::set<MessageKey> leaving;            // what was found to be fit to leave
};

/// Writes the failures, and ends those that are over. Warns of those that neither this run has told
/// nor the user accepted.
Task<void> note_left_behind(LeftBehind request);

/// Those that the user has not accepted.
Task<std::uint64_t> count_left_behind(Journal& journal, FolderId folder);

/// The user says that the copies are where they should be: the originals may go. What cannot be
/// proved to have been copied is not meant.
Task<void> let_go(Journal& journal, FolderId folder);

/// The failures of these, which have rows, are over.
Task<void> end_left_behind(Journal& journal, FolderId folder, std::vector<MessageKey> keys);

}  // namespace postferry
