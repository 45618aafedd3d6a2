// Deletions that are mirrored (DESIGN section 5), of a whole run. While folders cross they tell
// what they miss; it goes once all of them have been seen, and only if none gave a reason to doubt
// what the servers show: what is missing in one folder may have moved to one that does not show it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/crossing/lane.h"

namespace postferry {

/// What a folder misses, and how its crossing ended.
struct Missing {
  FolderRecord folder;
  FolderNumbers begun;            // the source's, from the SELECT that began the crossing
  std::uint32_t target_validity;  // under which the rows hold
  std::vector<MessageKey> keys;   // of rows whose message is not listed
  std::uint64_t mirrored = 0;     // of these, whose copies are to go
  std::uint64_t listed = 0;       // messages that are
  bool whole = false;             // nothing failed, pending or open
  std::uint64_t present = 0;      // of these on the target
  bool emptied_often = false;     // by people, as the trash is
};

class Deletions {
 public:
  explicit Deletions(Observer& observer) : observer_(observer) {}

  /// Nothing is deleted in this run; the first reason is told.
  void doubt(const std::string& why);
  /// A folder that is known is about to be looked at; what was told of it before is void.
  void begin(const FolderRecord& folder);
  /// It has been, as a whole.
  void seen(FolderId folder) { unseen_.erase(folder); }
  void add(Missing missing);
  /// As far as is known so far.
  bool due() const { return !missing_.empty() && !doubted_; }

  /// Removes from the target what is missing, with every guard of DESIGN section 5, over these
  /// lanes, or one of its own; a folder counts as completed only then. What fails is in the ledger.
  /// Leaves in `lanes` those that are whole. Throws as cross_account().
  Task<void> carry_out(Ends ends, AccountId account, const CrossingOptions& options,
                       const StopRequest& stop, Ledger& ledger, std::vector<Lane>& lanes);

  /// The same for a dry run: tells what would be removed, or why it would not, and does nothing.
  Task<void> foretell(Journal& journal, AccountId account, const CrossingOptions& options,
                      Ledger& ledger);

 private:
  /// Only what may go is left; why the rest may not is in the ledger.
  Task<void> hold_back(Journal& journal, AccountId account, const CrossingOptions& options,
                       Ledger& ledger);
  Task<std::uint64_t> mirror(Lane& lane, Ends ends, const CrossingOptions& options,
                             const Missing& missing);
  /// Several folders at once, also on one connection, where the connectors can.
  Task<void> side_by_side(std::vector<Lane>& lanes, Ends ends, const CrossingOptions& options,
                          const StopRequest& stop, Ledger& ledger);
  static std::vector<FolderTally>::iterator tally_of(const Missing& missing, Ledger& ledger);

  Observer& observer_;
  bool doubted_ = false;
  std::map<FolderId, FolderName> unseen_;
  std::map<FolderId, Missing> missing_;
};

}  // namespace postferry
