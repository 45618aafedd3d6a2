// Carries a feed of batches into the open folder, as fast as the server's extensions allow, and
// finds the one bad message in a batch that was refused.
#pragma once

#include <cstdint>

#include "connectors/imap/append_batch.h"
#include "connectors/imap/party.h"
#include "connectors/imap/selected.h"
#include "connectors/imap/session.h"
#include "engine/target.h"

namespace postferry::imap {

/// Appends to the party's folder until the feed ends, each batch in a turn of its own on the
/// party's line. Where no literal has to wait (LITERAL+), a writer and a reader work at the same
/// time, with some batches or about 8 MiB unanswered; else batch by batch, with one round trip a
/// message. A refused batch is bisected once everything sent before has been answered; a refused
/// message is tried again without its keywords, and after a BAD with a synchronising literal. A
/// batch that has no room as a whole is bisected until one message alone has none: then
/// Error{quota}, and done() has been told of all that was stored, as also where the folder is
/// refused: Error{rejected}. Else throws as AppendCommands::collect, and Error{rejected} when the
/// folder takes nothing more; then the session lives on. `dropped` counts flags left out.
Task<void> append_feed(Party& party, AppendTraits traits, AppendFeed& feed, std::uint64_t& dropped);

}  // namespace postferry::imap
