// One crossing at a time into each target folder, whoever fills it: watermark and batches belong to
// the folder (DESIGN section 4).
#pragma once

#include <map>

#include "engine/async/semaphore.h"
#include "engine/journal.h"

namespace postferry {

/// Shared by all that one process carries at once with one journal.
class FolderTurns {
 public:
  /// Waits until nobody else fills the folder; the turn ends when the Permit dies.
  Task<Permit> take(TargetFolderId folder) {
    return turns_.try_emplace(folder, 1).first->second.acquire_permit();
  }

 private:
  std::map<TargetFolderId, Semaphore> turns_;
};

}  // namespace postferry
