// From an address to a session that takes mail: where the server is, greeting, EHLO, STARTTLS,
// authentication.
#pragma once

#include <memory>

#include "connectors/smtp/account.h"
#include "connectors/smtp/session.h"

namespace postferry::smtp {

/// Connects, to the best mail exchanger that can be reached for mx:, turns to TLS as the endpoint
/// says, and logs in where it names a user. Nothing secret is sent without TLS unless the endpoint
/// says tls=none.
///
/// Throws Error{unreachable|tls|auth|transient|protocol|rejected}, and what the credentials throw.
Task<std::unique_ptr<Session>> log_in(Account& account);

/// Says QUIT if the server would understand, and closes, within a moment. Never throws but
/// Cancelled.
Task<void> log_out(Session& session);

}  // namespace postferry::smtp
