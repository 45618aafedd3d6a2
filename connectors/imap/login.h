// From an address to a logged-in session: greeting, TLS, authentication, and what must be asked
// right after. The only place where secrets are handled.
#pragma once

#include <memory>
#include <optional>

#include "connectors/imap/account.h"
#include "connectors/imap/folders.h"
#include "connectors/imap/session.h"

namespace postferry::imap {

struct LoggedIn {
  std::unique_ptr<Session> session;
  std::unique_ptr<Lister> listing;  // asked for, to be answered; refers to the session
};

/// Connects, turns to TLS if the endpoint says so, logs in, and learns capabilities, the server's
/// software and the namespaces (into account.names). Nothing secret is sent without TLS unless the
/// endpoint says tls=none. Throws Error{unreachable|tls|auth|transient|throttled|protocol}, and
/// what the credentials throw; a server that is busy is never taken for a wrong password.
/// The account's first session asks for the `listing`, too, if one is wanted, so that it costs no
/// round trip of its own; a later one takes over what the first has learned.
Task<LoggedIn> log_in(Account& account, std::optional<Numbers> listing = {});

/// The answer to the listing that was asked for at the login, the first time; a new one after that.
Task<std::vector<FolderInfo>> list_from(Session& session, std::unique_ptr<Lister>& asked,
                                        FolderNames& names, Numbers wanted);

/// Says LOGOUT and closes, within a moment. Never throws but Cancelled.
Task<void> log_out(Session& session);

}  // namespace postferry::imap
