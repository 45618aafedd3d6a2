// Mail that looks the same, header for header: a row that has this look shows that it names more
// than one message, and so is no proof that another one is on the target.
#pragma once

#include "engine/journal.h"
#include "engine/settle/source_likenesses.h"
#include "engine/settle/stranger_match.h"

namespace postferry {

/// Tells of entries whose headers have been read which of them have the header of another message
/// of this folder that has its row, as far as rows have headers: of POP3 mail, and of what was
/// found on a target. Each time it reads all rows of the folder. Not for a target that alters mail,
/// whose bytes prove no more than a header. All outlive it.
KnownLooks known_looks(Journal& journal, FolderId folder, const Catalogue& catalogue,
                       const SourceLikenesses& likenesses);

}  // namespace postferry
