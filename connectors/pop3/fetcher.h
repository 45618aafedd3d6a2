// Carries whole messages from a POP3 session to a sink.
#pragma once

#include <vector>

#include "connectors/pop3/maildrop.h"
#include "connectors/pop3/session.h"
#include "engine/source.h"
#include "engine/spool.h"

namespace postferry::pop3 {

/// As SourceSession::fetch promises. Bodies up to kHoldLimit (and a buffer's
/// worth more) are held, larger ones spooled. Dates
/// come from the topmost plausible Received, else from Date; flags from Status, X-Status and
/// X-Keywords. LIST's sizes are believed nowhere but in planning.
///
/// A message that is refused, or comes empty though LIST gives it a size, is asked for again alone
/// after all others; one whose refusal only means "not now" ends the fetch then, with
/// Error{transient}. A server that glues the last dot to the last line is met so: when the line is
/// lost in silence, and what came but for that dot has exactly the size that LIST says, the message
/// is taken as whole before the loss is reported.
Task<void> fetch_messages(Session& session, const Maildrop& maildrop, SpoolFactory& spool,
                          std::vector<Catalogue::Entry> wanted, MessageSink& sink);

}  // namespace postferry::pop3
