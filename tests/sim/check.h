// What must hold when a schedule is over.
#pragma once

#include <string>

#include "tests/sim/world.h"

namespace postferry::sim {

/// What is wrong with the target, in words; empty if nothing is.
std::string check(World& world);

}  // namespace postferry::sim
