// Removes messages from a source folder that was opened read-only.
#pragma once

#include <vector>

#include "connectors/imap/selected.h"
#include "connectors/imap/session.h"
#include "engine/source.h"

namespace postferry::imap {

/// As SourceSession::remove promises. Opens `folder` anew, to write: removes nothing and throws
/// Error{transient} if its UIDVALIDITY is another than before, when the keys mean nothing. Where
/// there is no UID EXPUNGE (RFC 4315) the messages are only marked \Deleted: EXPUNGE and CLOSE take
/// others along.
Task<Removal> remove_messages(Session& session, Selected& folder, std::vector<MessageKey> keys);

}  // namespace postferry::imap
