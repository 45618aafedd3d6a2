// The journal with time in it: every call waits a little before and after its commit, as on a
// thread of its own, so that a crash can come between a commit and whatever follows it.
#pragma once

#include <functional>
#include <memory>

#include "engine/journal.h"
#include "tests/sim/dice.h"
#include "tests/sim/trace.h"

namespace postferry::sim {

/// As the real one, a call is not cut short by a cancel. All must outlive the result.
std::unique_ptr<Journal> make_stepped(Journal& inner, Dice& dice, Trace& trace);

}  // namespace postferry::sim
