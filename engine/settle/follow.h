// Follow: what changed at the source since the last run (DESIGN section 5). Flags as gains and
// losses; deletions only where asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/async/task.h"
#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

/// Whether what is at a row's target UID still is the copy: its size, and the instant of its date.
bool is_copy_of(const MessageRow& row, const TargetEntry& entry);

/// A recorded message whose flags at the source are no longer those last read.
struct FlagChange {
  MessageKey key;
  Uid target_uid;
  Flags before, now;
};

/// The source's flags, but for the \Deleted that we have set there ourselves (--after-copy).
Flags flags_to_follow(const MessageRow& row, Flags now);

/// What came of changed flags.
struct Followed {
  std::uint64_t touched = 0;     // messages
  std::uint64_t dropped = 0;     // keywords, each of a message, that the target refused
  std::optional<Error> refused;  // what else it refused: those changes are still to be made
};

/// Applies gains as +FLAGS and losses as -FLAGS to the selected target folder, then records the new
/// base. Keywords that the target refuses are left out, and not tried again.
Task<Followed> follow_flags(TargetSession& target, Journal& journal, FolderId folder,
                            std::vector<FlagChange> changes);

/// Whether the copy of a message that is gone may go, too: only one that we appended.
bool may_be_mirrored(const MessageRow& row);

struct DeletionRequest {
  SourceSession& source;  // with the folder selected
  TargetSession& target;  // with the target folder selected
  Journal& journal;
  Observer& observer;
  FolderRecord folder;
  std::vector<MessageRow> gone;  // recorded rows whose key the catalogue no longer has
};

/// Removes from the target what vanished from the source, with every guard of DESIGN section 5 that
/// is of one message. Returns how many were removed.
Task<std::uint64_t> mirror_deletions(DeletionRequest request);

}  // namespace postferry
