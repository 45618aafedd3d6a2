// The rows of a folder whose names at the source are void, until it is settled: by its copy a
// message is known under its new name, with its history. The journal keeps them until then, too:
// what comes between must not cost their histories.
#pragma once

#include <map>
#include <vector>

#include "engine/async/task.h"
#include "engine/journal.h"

namespace postferry {

class FormerRows {
 public:
  Task<void> read(Journal& journal, FolderId folder);
  /// The target's UIDs are void as well: only by its bytes a copy is found again.
  void lose_places();
  void clear();

  std::map<Uid, MessageRow> by_copy;  // by target UID
  std::vector<MessageRow> nowhere;    // those whose target UID is void
};

}  // namespace postferry
