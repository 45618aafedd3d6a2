// One folder to a relay: catalogue, join with the journal, hand over what is due, account.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/crossing/poison.h"
#include "engine/crossing/windows.h"
#include "engine/relay/crossing.h"
#include "engine/relay/lanes.h"

namespace postferry {

struct RelayFolderRequest {
  RelayEnds ends;
  SourceSession& source;
  RelayLanes& lanes;
  const CrossingOptions& options;
  AccountId account;
  RunId run;
  FolderName folder;
  std::size_t at_once = 0;              // most messages to ask the source for together
  std::optional<Condemned> condemned;   // to be given up
  std::function<bool()> stop, give_up;  // as StopRequest's requested() and at_once()
  Windows& windows;                     // of this folder in this run
  FolderTally& tally;  // rewritten by every attempt; balances however the attempt ends
};

struct RelayFolderResult {
  bool progressed = false;    // something was decided: a retry is not in vain
  bool stopped = false;       // the source session is dead for that
  bool more_windows = false;  // another source session may show more
  UnderWay under_way;         // when it failed
};

/// The one folder that all mail goes to, as the journal and the ledger call it.
FolderName relay_target();

/// Throws Error where the source fails; what the relay does is in RelayLanes. Calling again goes on
/// from there. After an Error, and when stopped, the source session must be dropped.
Task<void> relay_folder(RelayFolderRequest request, RelayFolderResult& result);

}  // namespace postferry
