// Proving who we are: SASL by the best mechanism that both sides know, or LOGIN.
#pragma once

#include "connectors/imap/account.h"
#include "connectors/imap/session.h"

namespace postferry::imap {

/// On success the session is authenticated, and its capabilities are those of the server's answer,
/// or forgotten. Asks the credentials anew; once more if an OAuth token is refused. Throws
/// Error{auth} with the server's words, Error{transient|throttled} when the server is busy.
Task<void> authenticate(Session& session, Account& account);

}  // namespace postferry::imap
