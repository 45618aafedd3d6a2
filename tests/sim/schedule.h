// One schedule: two servers, some mail, a number of runs through misfortunes, then quiet runs, and
// the look at what came of it. Everything follows from the seed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/program.h"
#include "tests/sim/world.h"

namespace postferry::sim {

struct Orders {
  std::uint64_t seed = 1;
  std::string profile;  // of the target and an IMAP source; empty: the dice decide
  bool relay = false;   // as relay_schedule.h has it
  bool loud = false;
};

struct Report {
  std::string trouble;  // empty: all is well
  std::uint64_t trace = 0;
  std::uint64_t runs = 0, deaths = 0, messages = 0, steps = 0;
};

/// `image` is a disk with an empty journal.
Report run_schedule(const Orders& orders, Disk& disk, const Disk::Files& image);

// For schedules of other kinds.

/// One run, and what no run may do; counted in the report.
End run_once(World& world, const Start& start, Report& report);
/// The servers get their peace: a run must complete, and a further one find nothing to do. Then
/// the check.
void calm_runs(World& world, Report& report);

}  // namespace postferry::sim
