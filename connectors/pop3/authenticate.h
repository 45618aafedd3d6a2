// AUTH (RFC 5034), USER and PASS (RFC 1939 7).
#pragma once

#include "connectors/pop3/account.h"
#include "connectors/pop3/session.h"

namespace postferry::pop3 {

/// Logs in by the best way that the server offers and the endpoint allows. After a refusal by a
/// mechanism that shows no secret one that shows it is tried, once: a server may keep no key for
/// the first. A refused OAuth token is fetched anew, once. Else a refusal is final.
Task<void> authenticate(Session& session, Account& account);

}  // namespace postferry::pop3
