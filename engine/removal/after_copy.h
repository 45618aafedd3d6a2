// What becomes of messages at the source once they have crossed (--after-copy): removed, when the
// row is on the disk and the copy was seen on the target (DESIGN section 4).
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "engine/async/task.h"
#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/settle/settle.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

struct RemovalRequest {
  SourceSession& source;  // with the folder selected
  TargetSession& target;  // with the target folder selected
  Journal& journal;
  Observer& observer;
  const Catalogue& catalogue;             // of this source session
  const std::vector<Standing>& standing;  // one for each of its entries
  FolderRecord folder;
  RunId run;
  std::int64_t copied_until = 0;  // those copied then or before are due; seconds since 1970 UTC
  std::function<bool()> stop;     // asked between parts: nothing more is compared
  const std::set<MessageKey>& unproved;  // which may not be what their rows say: these stay
  bool one_validity = false;             // UIDVALIDITY is the same at both ends
  bool two_mailboxes = false;            // the ends are known not to be one
};

struct RemovalResult {
  std::uint64_t removed = 0;  // or marked, where the source can do no more
  bool session_over = false;  // the source session can only be left
  bool more = false;          // and the next one has more to remove
  bool two_mailboxes = false;
};

/// Notes for every copied message whether its copy is there, and removes from the source those that
/// are due. A copy that we did not append must have the original's bytes, and what bears a row's
/// name must be what was copied; where source and target may be one mailbox, one message goes
/// ahead. Before the source is asked, the rows say so and are fsynced: what a crash leaves is
/// looked at in the next session.
///
/// Throws Error{transient} when the server's answer is not known or is a refusal of all: then a new
/// session must look.
Task<RemovalResult> remove_what_crossed(RemovalRequest request);

struct RemovableRequest {
  Journal& journal;
  const Catalogue& catalogue;
  const std::vector<Standing>& standing;
  FolderId folder;
  std::int64_t copied_until = 0;
  const std::set<MessageKey>& unproved;
  bool one_validity = false;
};

/// For a dry run: of what has crossed, how much remove_what_crossed() would find due. Only looking
/// at the copies tells whether all of it leaves.
Task<std::uint64_t> count_removable(RemovableRequest request);

}  // namespace postferry
