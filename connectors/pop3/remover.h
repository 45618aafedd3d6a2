// Removes messages from the maildrop: DELE and QUIT (RFC 1939 5, 6).
#pragma once

#include <vector>

#include "connectors/pop3/maildrop.h"
#include "connectors/pop3/session.h"
#include "engine/source.h"

namespace postferry::pop3 {

/// As SourceSession::remove promises. DELE only marks; it is QUIT that removes, and its answer that
/// says so. A line that is lost before QUIT was sent removes nothing, and throws. Afterwards the
/// session is over.
Task<Removal> remove_messages(Session& session, const Maildrop& maildrop,
                              std::vector<MessageKey> keys);

}  // namespace postferry::pop3
