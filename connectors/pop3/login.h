// From an address to a logged-in session: greeting, STLS, authentication. The only place of this
// connector where secrets are handled.
#pragma once

#include <memory>

#include "connectors/pop3/account.h"
#include "connectors/pop3/session.h"

namespace postferry::pop3 {

/// Connects, turns to TLS if the endpoint says so, and logs in by SASL or by USER and PASS;
/// capabilities are asked for at each step (RFC 2449 5). Nothing secret is sent without TLS unless
/// the endpoint says tls=none.
///
/// Throws Error{unreachable|tls|auth|transient|protocol}, and what the credentials throw. A
/// maildrop that is locked, or a server that wants us to wait, is transient and never auth; where
/// the server says for how long, the error does too.
Task<std::unique_ptr<Session>> log_in(Account& account);

/// Says QUIT if the server would understand, and closes, within a moment. Never throws but
/// Cancelled.
Task<void> log_out(Session& session);

}  // namespace postferry::pop3
