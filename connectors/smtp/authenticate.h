// Logging in by AUTH (RFC 4954). The only place of this connector where secrets are handled.
#pragma once

#include "connectors/smtp/account.h"
#include "connectors/smtp/session.h"

namespace postferry::smtp {

/// Throws Error{auth} with the server's words when the login is refused, or when the server offers
/// no way that will do; Error{transient} when it says "not now".
Task<void> authenticate(Session& session, Account& account);

}  // namespace postferry::smtp
