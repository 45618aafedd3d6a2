// Takes one run back: removes from the target exactly what it appended and nobody touched since.
// Never the only copy: what the source no longer lists stays.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/model.h"

namespace postferry {

/// A message that stays, and why.
struct KeptMessage {
  MessageKey key;
  Uid uid;
  std::string why;
};

/// appended = removed + gone + kept.size() + kept_left_out + pending, always.
struct UndoneFolder {
  FolderName source, target;
  std::uint64_t appended = 0;       // by the run, as far as the journal still says so
  std::uint64_t removed = 0;        // or would be, in a dry run
  std::uint64_t gone = 0;           // no longer on the target
  std::uint64_t kept_left_out = 0;  // kept, more than are listed
  /// Not decided: something stopped it, or the run, in the middle, and this is a dry run.
  std::uint64_t pending = 0;
  std::vector<KeptMessage> kept;
  std::optional<Error> error;
};

struct UndoReport {
  RunId run;
  bool dry_run = false;
  bool stopped = false;
  std::vector<UndoneFolder> folders;  // in which the run appended anything
  std::optional<Error> error;

  std::uint64_t appended() const;
  std::uint64_t removed() const;
  std::uint64_t gone() const;
  std::uint64_t kept() const;
  std::uint64_t pending() const;
};

/// Whether this run took another one back.
bool is_undo(const RunRecord& run);

/// A message is removed (by UID EXPUNGE: UIDPLUS is needed) only if it is still under the UID that
/// the run gave it, with the size, date and flags that are recorded; no other row names it; and the
/// source still lists it. The journal forgets it before it goes and keeps it as a member of a batch
/// until it has gone: so another run finds it again or copies it, another undo goes on, and
/// whatever stops this leaves neither a loss nor a double. What the target does not let go is as it
/// was before. What a run that died was sending is settled first. Throws Error{journal|usage} and
/// Cancelled; all else is in the report.
Task<UndoReport> undo_run(Ends ends, AccountIdentity account, RunId run, CrossingOptions options,
                          const StopRequest& stop);

}  // namespace postferry
