// The skip rule (DESIGN section 5): a folder with nothing to do is not even opened.
#pragma once

#include <string>

#include "engine/journal.h"
#include "engine/ledger.h"
#include "engine/mapping.h"

namespace postferry {

/// True when the listings and the journal prove that there is nothing to do (DESIGN section 5);
/// then `tally` is filled from the journal.
bool nothing_to_do(const MappedFolder& folder, const FolderRecord& record,
                   const std::string& selection_hash, FolderTally& tally);

}  // namespace postferry
