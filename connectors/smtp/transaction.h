// One message, once over a session: MAIL, RCPT, DATA or BDAT, and what the replies mean.
#pragma once

#include <string>

#include "connectors/smtp/codec/trace.h"
#include "connectors/smtp/session.h"
#include "engine/relay.h"

namespace postferry::smtp {

struct Parcel {
  Body body;          // not a streamed one
  Envelope envelope;  // size and kind are found out
  Trace trace;
  bool unfinished = false;  // the transaction before was given up: RSET goes first
};

struct ParcelResult {
  RelayResult result;
  bool unfinished = false;  // the next transaction must begin with RSET
};

/// A final answer is waited for as long as RFC 5321 4.5.3.2.6 asks.
constexpr std::chrono::minutes kFinalReply{10};

/// As RelaySession::send. 552 and 5.3.4 refuse the message; a mailbox that is full (5.2.2) is
/// Error{quota}; 5.7.x refuses it and all others; any other refusal of the envelope, which is that
/// of every message, is Error{rejected}.
Task<ParcelResult> transact(Session& session, Parcel parcel);

}  // namespace postferry::smtp
