// Small scenarios, and every place in them where a crash or a cut may come: none is left out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/sim/schedule.h"

namespace postferry::sim {

/// Plays one in `every` (1: all) of the crashes of each scenario, one at each step of the loop, and
/// of the cuts, one after each byte in each direction; tells of
/// each that goes wrong, under the name by which `only` plays it alone and loudly. Returns how many
/// were played.
std::uint64_t exhaust(Disk& disk, const Disk::Files& image, const std::string& only,
                      std::uint64_t every,
                      const std::function<void(const std::string& name, const Report&)>& failed);

}  // namespace postferry::sim
