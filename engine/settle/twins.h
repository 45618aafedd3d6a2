// Target messages that equal one which has crossed already: late copies of ours, and others'.
// Only reads; what is done about them settle decides.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "engine/journal.h"
#include "engine/settle/strangers.h"
#include "engine/target.h"

namespace postferry {

/// A target message that no row names, and the copies of which it may be a second one.
struct Suspect {
  TargetEntry entry;
  std::vector<Uid> copies;
  std::vector<Flags> sent;  // with which a batch tried to store it, where one may have
};

/// The headers of target copies, each read once, and not at all of what was a stranger.
class CopyHeaders {
 public:
  /// Rows' copies by what they look like, as far as a BriefLikeness has it; those that are gone are
  /// left out.
  Task<std::map<Fingerprint, std::vector<Uid>>> by_print(TargetSession& target,
                                                         const Strangers& strangers,
                                                         std::vector<MessageRow> rows);

 private:
  std::map<Uid, Fingerprint> prints_;
};

struct SuspectRequest {
  TargetSession& target;
  Journal& journal;
  FolderId folder;
  const std::vector<OpenBatch>& batches;  // of the target folder, any account's
  Strangers& strangers;
  CopyHeaders& headers;
};

/// What may be a late copy: strangers at or above the UIDNEXT of a batch (whose folder has not been
/// replaced since) that look like one of its members which have crossed, also where the source has
/// it no longer; ascending. `fresh`: rows about to be recorded.
Task<std::vector<Suspect>> suspects(
    SuspectRequest request, const std::vector<MessageRow>& fresh,
    std::function<bool(std::size_t place, const TargetEntry& entry)> passed_over);

/// Of the suspects those that equal the copy a row names byte for byte, in flags and, if `dated`,
/// in date (else some got the moment of their arrival), while that copy, which came before, is
/// still there. With its date the flags may be those that they were sent with, too.
Task<std::vector<Uid>> late_copies(TargetSession& target, std::vector<Suspect> suspects,
                                   bool dated);

/// Of the strangers that are left, and that `asked` says yes to by their places, those that equal,
/// byte for byte, a message that a row of any account names, or that was a stranger: which has been
/// read, so that a size which is only the store's own hides none of them. Memory: 16 bytes for each
/// copy that has the size of one of them.
Task<std::vector<Uid>> equal_to_recorded(TargetSession& target, Journal& journal,
                                         TargetFolderId folder, Strangers& strangers,
                                         std::function<bool(std::size_t)> asked);

}  // namespace postferry
