// Changes flags of messages, and expunges just them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "connectors/imap/party.h"
#include "connectors/imap/session.h"
#include "engine/model.h"
#include "engine/target.h"

namespace postferry::imap {

/// UIDs ascending, each once.
std::vector<std::uint32_t> sorted(std::vector<Uid> uids);

/// UID STORE of `item`, such as +FLAGS.SILENT, with `flags` in IMAP spelling, to messages of the
/// selected folder; then, if asked for, UID EXPUNGE of just these (RFC 4315; EXPUNGE and CLOSE,
/// which take whatever is marked, are never sent). In sets as long as the server takes, a few in
/// flight. Every answer is taken before the first refusal is thrown, so the session lives on.
Task<void> store_in_sets(Session& session, std::vector<std::uint32_t> uids, std::string item,
                         std::string flags, bool then_expunge);

/// The changes in the party's folder, in order, as many in flight as is wise. What the folder does
/// not keep is left out. A refusal as above.
Task<void> store_all(Party& party, std::vector<FlagStore> changes, std::uint64_t& dropped);
/// Marks messages of the party's folder \\Deleted, and expunges just them where `expunges`.
Task<void> expunge_all(Party& party, std::vector<Uid> uids, bool expunges);

}  // namespace postferry::imap
