// Fetches whole messages: windows planned by bytes, several in flight, and those that did not come
// asked for again one by one. Trusts UIDs only, never the order or number of answers.
#pragma once

#include <vector>

#include "connectors/imap/party.h"
#include "engine/catalogue.h"
#include "engine/source.h"

namespace postferry::imap {

/// Fetches `wanted` from the party's folder with BODY.PEEK[] and hands each to `sink` exactly
/// once, as a message or as missing. `flags` of an entry may be null; what the server says at the
/// fetch goes before what an entry says. A message without a plausible INTERNALDATE gets the one
/// its header tells. Bodies up to kHoldLimit are held, larger ones streamed; one whose reader
/// closes its pipe is passed over. Throws as Session.
Task<void> fetch_messages(Party& party, std::vector<Catalogue::Entry> wanted, MessageSink& sink);

}  // namespace postferry::imap
