// One account, once, to where mail can only be handed over. What a target would show is missing
// here: nothing is settled, followed or removed. Instead a row that says `unknown` is on the disk
// before a message goes out, and only the server's answer changes it (DESIGN section 4).
#pragma once

#include <string>

#include "engine/async/task.h"
#include "engine/crossing/crossing.h"
#include "engine/relay.h"
#include "engine/spool.h"

namespace postferry {

struct RelayEnds {
  Source& source;
  Relay& relay;
  Journal& journal;
  Observer& observer;
  SpoolFactory& spool;  // for bodies that are too large to hold
};

/// As cross_account(). Messages go out over several sessions at once, and may arrive in another
/// order. One that is put off waits for its time, in this run or a later one; an `unknown` one is
/// held until CrossingOptions::resend_unknown. Outcome::interrupted also where messages are put
/// off.
Task<Ledger> relay_account(RelayEnds ends, AccountIdentity account, CrossingOptions options,
                           const StopRequest& stop);

/// When a message is tried again that has been put off `tries` times since `since`; nothing: never,
/// it has been too long. Seconds since 1970 UTC.
std::optional<std::int64_t> due_again(int tries, std::int64_t since, std::int64_t now);

/// What cannot cross, for people.
const char* what_a_relay_loses();

}  // namespace postferry
