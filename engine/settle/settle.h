// Settle: makes the journal agree with what a target folder really holds (DESIGN section 4).
// One rule for a first run on a folder with mail in it, a crash, and a lost connection.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "engine/async/executor.h"
#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/settle/follow.h"
#include "engine/settle/source_likenesses.h"
#include "engine/source.h"
#include "engine/standing.h"
#include "engine/target.h"

namespace postferry {

/// What the settles of one crossing of a folder need not read or tell twice.
struct SettleMemory {
  SourceLikenesses likenesses;    // of the catalogue
  std::set<Uid> twins_told = {};  // that were counted, and stay
};

struct SettleRequest {
  SourceSession& source;  // with the folder selected
  TargetSession& target;  // with the target folder selected
  Journal& journal;
  Observer& observer;
  const Catalogue& catalogue;
  std::vector<Standing>& standing;  // one for each catalogue entry; updated
  /// Rows whose target UID became void, by entry; when it returns, found or forgotten.
  std::map<std::size_t, MessageRow>& unplaced;
  /// Such rows whose message the source has no longer; with `void_keys`, whose key became void,
  /// too.
  const std::vector<MessageRow>& orphans;
  std::map<Uid, MessageRow>& former;  // rows whose source key became void, by target UID; updated
  SettleMemory& memory;
  FolderRecord folder;
  TargetFolderRecord target_folder;
  FolderNumbers target_numbers;
  std::vector<OpenBatch> batches;  // of the target folder, any account's
  RunId run;
  Duration still;  // how long UIDNEXT must stand still before an open batch is given up
  /// The folder's keys mean other messages than the journal's rows say: told with what is found,
  /// so that a crash before leaves the rows to be found again.
  bool void_keys = false;
  std::optional<std::uint32_t> source_uid_validity;
  /// With which messages were sent, or may have been; null: none.
  const std::map<MessageKey, Repairs>* repairs = nullptr;
};

struct SettleResult {
  Uid watermark;
  /// Recorded UIDs name other messages now, as after a backup was restored: nothing was recorded,
  /// the target folder must be reset.
  bool moved = false;
  bool looked = false;          // false: there was nothing new to look at, and nothing was recorded
  std::uint64_t twins = 0;      // late arrivals of ours, found again and removed (or only reported)
  std::uint64_t adopted = 0;    // found on the target, not appended by us
  std::uint64_t recovered = 0;  // of open batches: appended, but not yet recorded
  std::uint64_t recovered_bytes = 0;  // those of this run
  /// What the recovered lost on the way: the line was cut before a flag was set, or the source set
  /// it meanwhile.
  std::vector<FlagChange> flags;
};

/// When it returns, every target message below the watermark is accounted for, each message of the
/// catalogue that is on the target has its row, and open batches are closed, or decided and kept
/// for late arrivals. Only reads the target, but for twins, which it removes by UID EXPUNGE, and
/// for the mark \Deleted of what gets its first row: where the source has none it is taken back.
/// Rows are recorded as they are found, the rest at the end: what is cut short begins anew, with
/// those. Memory: 41 bytes for each target message that no row names, 20 for each entry that is not
/// there, and 8 for each entry.
Task<SettleResult> settle(SettleRequest request);

}  // namespace postferry
