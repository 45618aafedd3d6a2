// What a target folder holds from a UID on.
#pragma once

#include <vector>

#include "connectors/imap/party.h"
#include "engine/async/task.h"
#include "engine/target.h"

namespace postferry::imap {

/// Messages of the party's folder with UID >= from, ascending, other sessions' doing included: the
/// folder is opened again, in the same round trip. (A NOOP would do, but in one of its own: Dovecot
/// puts the sync off when it sees another command behind it.)
Task<Catalogue> catalogue_from(Party& party, Uid from);
/// The same, one by one.
Task<std::vector<TargetEntry>> look_from(Party& party, Uid from);
/// Those of these messages that are there, ascending.
Task<std::vector<TargetEntry>> look_at(Party& party, std::vector<Uid> uids);

}  // namespace postferry::imap
