// What a crossing to a relay would meet (engine/crossing/check.h): both ends are asked, nothing is
// sent.
#pragma once

#include "engine/async/task.h"
#include "engine/crossing/check.h"
#include "engine/relay/crossing.h"

namespace postferry {

/// As check_account(). The journal is written to: give a copy.
Task<CheckReport> check_relay(RelayEnds ends, AccountIdentity account, CrossingOptions options);

}  // namespace postferry
