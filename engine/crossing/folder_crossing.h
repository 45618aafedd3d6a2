// One folder, once across: select, catalogue, join with the journal, settle, follow, transfer,
// account. The same steps serve a first run, a resume and a lost connection.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/async/semaphore.h"
#include "engine/crossing/crew.h"
#include "engine/crossing/crossing.h"
#include "engine/crossing/poison.h"
#include "engine/crossing/windows.h"
#include "engine/mapping.h"
#include "engine/room.h"
#include "engine/settle/settle.h"

namespace postferry {

class Deletions;

struct FolderCrossingRequest {
  Ends ends;
  SourceSession& source;
  TargetSession& target;
  const CrossingOptions& options;
  AccountId account;
  RunId run;
  const std::string& source_identity;
  MappedFolder& folder;                 // `exists` becomes true when the folder has been made
  Share& share;                         // of the room for messages
  Duration slowest_batch{};             // of this run so far
  std::size_t at_once = 0;              // most messages to ask for together, to begin with
  std::optional<Condemned> condemned;   // to be given up if it is not on the target
  bool last_first = false;              // begin with the last message that is due, alone
  bool first_run = false;               // the journal knew nothing of this account before
  std::function<bool()> stop, give_up;  // as StopRequest's requested() and at_once()
  Crew* crew = nullptr;            // that helps to fill a folder; null: one session does it alone
  Windows& windows;                // of this folder in this run
  FolderTally& tally;              // rewritten by every attempt; balances however the attempt ends
  Deletions* deletions = nullptr;  // of the whole run; null: none are mirrored
  Semaphore* repairs = nullptr;    // one permit: what they take is set aside for one folder; null:
                                   // nothing is repaired
};

struct FolderCrossingResult {
  bool progressed = false;    // something was appended, refused or settled: a retry is not in vain
  bool stopped = false;       // the user asked to
  bool more_windows = false;  // another source session may show more
  bool source_over = false;   // the source session can only be left
  UnderWay under_way;         // when it failed
  Duration slowest_batch{};
};

/// Throws Error; what crossed before is recorded, and calling again goes on from there. After an
/// Error, and when stopped, both sessions must be dropped.
Task<void> cross_folder(FolderCrossingRequest request, FolderCrossingResult& result);

}  // namespace postferry
