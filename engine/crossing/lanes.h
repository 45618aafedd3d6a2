// The lanes of an account: its sessions, two by two, and which folders cross on which. Several
// share a lane, so that the next are open while one's mail is on its way.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/crossing/lane.h"
#include "engine/mapping.h"

namespace postferry {

class Deletions;

struct LanesRequest {
  Ends ends;  // with turns
  const CrossingOptions& options;
  const StopRequest& stop;
  AccountId account;
  RunId run;
  const std::string& source_identity;
  bool first_run = false;   // the journal knew nothing of this account before
  bool far = false;         // one of the servers is
  bool crew_helps = false;  // several sessions are to fill a folder
  std::vector<MappedFolder>& folders;
  const std::map<FolderName, FolderRecord>& records;
  std::deque<std::size_t> queue;   // those that are due, in order
  Ledger& ledger;                  // one tally a folder; where there is an error nothing is begun
  Deletions* deletions = nullptr;  // to be mirrored; null: none are
  std::vector<Lane>& idle;         // where lanes go that may be of use for deletions
};

/// Crosses what is due, and more of it at a time than there are lanes: `first`, and as many others
/// as the work is worth. What fails is in the ledger. False where something was not come to. All
/// lanes but those in `idle` have said goodbye. Throws as cross_account().
Task<bool> carry(LanesRequest request, Lane first);

}  // namespace postferry
