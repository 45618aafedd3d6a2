// Reads what strangers on the target look like, and whose some of them must be.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/settle/strangers.h"
#include "engine/target.h"

namespace postferry {

/// Reads the headers of these, and sets their likenesses; those that are gone stay like nothing.
/// `hashes`: takes header_hash() of each; null: not wanted.
Task<void> read_likenesses(TargetSession& target, Strangers& strangers, std::vector<Uid> uids,
                           std::map<Uid, std::uint64_t>* hashes);

/// Where several source folders fill this target folder, and its UIDs became void: a copy that has
/// size and date of another folder's, and not of one of these rows of this folder, is spoken for;
/// it can be no message of another date.
Task<void> speak_for_others(Journal& journal, const FolderRecord& folder, Strangers& strangers,
                            const std::map<std::size_t, MessageRow>& unplaced,
                            const std::vector<MessageRow>& orphans);

/// Of these strangers those that another folder's row, whose UID became void as well, may name, one
/// for each such row, are left out: that folder will say whose they are.
Task<void> leave_out_others(Journal& journal, const FolderRecord& folder,
                            const Strangers& strangers, std::vector<Uid>& uids);

}  // namespace postferry
