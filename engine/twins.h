// Target messages that equal one which has crossed already: late copies of ours, and others'.
// Only reads; what is done about them settle decides.
#pragma once

#include <map>
#include <vector>

#include "engine/journal.h"
#include "engine/match.h"
#include "engine/target.h"

namespace postferry {

/// A target message that no row names, and the rows of what it may be a second copy of.
struct Suspect {
  TargetEntry entry;
  std::vector<MessageRow> rows;
};

/// The headers of target copies, each read once.
class CopyHeaders {
 public:
  /// One that need not be read again.
  void know(Uid uid, const Fingerprint& print) { prints_.emplace(uid, print); }
  /// Rows by what their copies look like; those whose copy is gone are left out.
  Task<std::map<Fingerprint, std::vector<MessageRow>>> by_print(TargetSession& target,
                                                                std::vector<MessageRow> rows);

 private:
  std::map<Uid, Fingerprint> prints_;
};

/// Of the suspects those that equal the copy a row names in flags, in date (if `dated`: else each
/// copy got the moment of its arrival) and byte for byte, while that copy is still there.
Task<std::vector<Uid>> late_copies(TargetSession& target, std::vector<Suspect> suspects,
                                   bool dated);

/// Of the strangers those that equal, byte for byte, a message that a row of any account or one of
/// `fresh` (rows about to be recorded) names.
Task<std::vector<Uid>> equal_to_recorded(TargetSession& target, Journal& journal,
                                         TargetFolderId folder, std::vector<Likeness> strangers,
                                         std::vector<MessageRow> fresh, CopyHeaders& copies);

}  // namespace postferry
