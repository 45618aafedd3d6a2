// The guard against deletions by mistake: of a source that shows too little, of a journal older
// than the mailboxes. It asks the journal and knows no server.
#pragma once

#include <cstdint>
#include <map>

#include "engine/async/task.h"
#include "engine/crossing/deletions.h"
#include "engine/error.h"
#include "engine/journal.h"

namespace postferry {

/// Which folders need --force-deletions, and in what words: those of which more than a tenth, and
/// over 20 messages, are to go, or more than half, and over 3, that no other folder has; a folder
/// that people empty, as the trash, is asked for the first alone. All of them, where that much is
/// to go of the account as a whole, which now has `listed` messages.
Task<std::map<FolderId, Error>> refusals_of_many(Journal& journal, AccountId account,
                                                 const std::map<FolderId, Missing>& missing,
                                                 std::uint64_t listed);

}  // namespace postferry
