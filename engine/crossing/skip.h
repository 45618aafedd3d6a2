// The skip rule (DESIGN section 5): a folder with nothing to do is not even opened. And what tells
// that a target went back to what it was before.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/journal.h"
#include "engine/ledger.h"
#include "engine/mapping.h"

namespace postferry {

/// True when the numbers prove that a source folder holds the messages that it held, flags apart.
/// One without UIDs can prove it by HIGHESTMODSEQ alone, and then of the flags, too.
bool same_messages(const FolderNumbers& now, const FolderNumbers& then);

/// What the journal notes beside a folder's completion: the hash of the options, and whether the
/// target refuses to have it subscribed, which is then told and asked for no more.
std::string noted_under(std::string selection_hash, bool subscription_refused);
bool subscription_refused(const FolderRecord& record);
bool under_same_options(const FolderRecord& record, const std::string& selection_hash);

/// What the listings and the journal prove of a folder.
enum class Proof {
  nothing_to_do,
  flags_unknown,  // nothing to do, if no flag changed: no number tells of that
  none,
};
Proof prove(const MappedFolder& folder, const FolderRecord& record,
            const std::string& selection_hash);

/// The account of a folder with nothing to do.
Tally unchanged(const FolderRecord& record);

/// UIDNEXT can only be above what a row names or a batch began with, though the run that wrote them
/// may have died before it noted more.
Task<Uid> least_uid_next(Journal& journal, TargetFolderRecord folder);

/// Whether a folder's UIDNEXT or HIGHESTMODSEQ went back since it was completed, by the source's
/// listing: then in every other as many messages may have come since as were lost, too.
bool source_went_back(const std::vector<MappedFolder>& folders,
                      const std::map<FolderName, FolderRecord>& records);

/// Whether a folder's UIDNEXT went back, by the target's listing.
bool target_went_back(const std::vector<MappedFolder>& folders,
                      const std::map<FolderName, FolderRecord>& records);

}  // namespace postferry
