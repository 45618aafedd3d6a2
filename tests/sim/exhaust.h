// Small scenarios, and every place in them where a crash or a cut may come: none is left out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/sim/schedule.h"

namespace postferry::sim {

/// Plays each scenario with the program killed, killed while the server gives up what it had in
/// hand, and its power cut, before and after each arrival of bytes at either end and each call of
/// the journal; and with its lines cut at both ends and in the middle of each arrival. Tells of
/// each that goes wrong, under the name by which `only` plays it alone and loudly. Returns how many
/// were played: one in `every`.
std::uint64_t exhaust(Disk& disk, const Disk::Files& image, const std::string& only,
                      std::uint64_t every,
                      const std::function<void(const std::string& name, const Report&)>& failed);

}  // namespace postferry::sim
