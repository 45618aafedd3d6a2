// AUTH (RFC 5034), USER and PASS (RFC 1939 7).
#pragma once

#include "connectors/pop3/account.h"
#include "connectors/pop3/session.h"

namespace postferry::pop3 {

/// Logs in by the best way that the server offers and the endpoint allows. A refusal is final, but
/// for three cases, each tried once: a mechanism refused before anything made from the secret was
/// said is followed by the next one of its family and not tried in later logins; one that shows no
/// secret is followed by one that does, since a server may keep no key for the first; a refused
/// OAuth token is fetched anew.
Task<void> authenticate(Session& session, Account& account);

}  // namespace postferry::pop3
