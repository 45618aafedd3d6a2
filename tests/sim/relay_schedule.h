// One schedule to a relay: mail of an IMAP or POP3 server is handed over to an SMTP or LMTP server,
// through misfortunes at both ends, crashes and power cuts; then quiet runs; then, perhaps, what
// may have been delivered is sent again, as a user asks for.
//
// After it: the server has taken each message once at most, and as often more as it was sent again
// on request; what the journal calls delivered was taken; every other message is told: unknown,
// refused or put off. Before a whole message was at the server, its row was on the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/sim/schedule.h"

namespace postferry::sim {

Report run_relay_schedule(const Orders& orders, Disk& disk, const Disk::Files& image);

/// A small account, with the program killed, and the power cut, at each step that does something
/// outside, or one in `every` of them, and the line cut around each arrival at the relay; or the
/// one of them that is called `only`, loudly. Returns how many were played.
std::uint64_t exhaust_relay(
    Disk& disk, const Disk::Files& image, const std::string& only, std::uint64_t every,
    const std::function<void(const std::string& name, const Report&)>& failed);

}  // namespace postferry::sim
