// The listing of an account: names, roles, subscriptions and numbers, in as few round trips as the
// server's extensions allow. Reads only.
#pragma once

#include <memory>
#include <vector>

#include "connectors/imap/names.h"
#include "connectors/imap/session.h"
#include "engine/model.h"

namespace postferry::imap {

/// HIGHESTMODSEQ costs some servers a look into every folder: it is asked for where it is used.
enum class Numbers { with_modseq, without_modseq };

/// Every personal folder, in the server's order. With LIST-STATUS (RFC 5819) one round trip; a
/// server that refuses what it advertises is asked again more simply: LIST-EXTENDED without STATUS,
/// then LIST or XLIST, with LSUB and a STATUS for each folder, pipelined. A folder whose STATUS is
/// refused is listed without numbers. `names` learns all of them.
Task<std::vector<FolderInfo>> list_folders(Session& session, FolderNames& names,
                                           Numbers wanted = Numbers::with_modseq);

/// The numbers that STATUS gave.
FolderNumbers numbers_of(const StatusData& status);

}  // namespace postferry::imap
