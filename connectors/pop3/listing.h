// What is in the maildrop: UIDL and LIST, joined, each message with a key of its own.
#pragma once

#include "connectors/pop3/maildrop.h"
#include "connectors/pop3/session.h"

namespace postferry::pop3 {

/// Asks for UIDL and LIST and joins them by number, in the server's order of numbers.
///
/// A message's key is its UIDL. Where that is missing, unusable (reply.h), or borne by several
/// messages, the key is the UIDL, a space (which no UIDL has in it), and a digest of the header
/// fields by which a message is recognised: it stays the same when numbers and sizes move, and
/// never names another message. Messages equal in that too, which are copies of each other, are
/// told apart by ` 2`, ` 3` and so on. A server without UIDL has such keys for all messages, at the
/// cost of reading all headers.
///
/// Throws Error{transient|rejected} where LIST is refused.
Task<Maildrop> list_maildrop(Session& session);

}  // namespace postferry::pop3
