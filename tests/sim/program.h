// The program under test, whole: engine, connectors and journal, from its start to its end or its
// death, between a simulated network and a simulated disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/registry.h"
#include "engine/crossing/crossing.h"
#include "tests/sim/agenda.h"
#include "tests/sim/dice.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/stepped_journal.h"
#include "tests/sim/trace.h"

namespace postferry::sim {

struct Outside {
  ManualExecutor& executor;
  Agenda& agenda;
  SimNetwork& network;
  Disk& disk;
  Dice& dice;
  Trace& trace;
  Unsynced& unsynced;
  /// The program says that this message of a target folder equals another, and stays.
  std::function<void(const std::string& folder, std::uint32_t uid)> told;
};

enum class Death { none, killed, power_cut };

struct Start {
  std::string source_url, target_url;
  CrossingOptions options;
  std::uint64_t die_at = ~std::uint64_t{0};  // a step of the loop
  std::uint64_t stop_at = ~std::uint64_t{0};
  Death death = Death::killed;
  bool note_moments = false;
  bool accept = false;  // first, what failed so far: `failed --accept`
};

struct End {
  std::optional<Ledger> ledger;       // none if it died
  std::optional<std::string> thrown;  // by cross_account
  ErrorKind thrown_kind = ErrorKind::local;
  std::string trouble;  // what no run may do, whatever happens
  bool held = false;    // a message was taken and is not there, and waits for `retry`
  std::uint64_t steps = 0;
  std::vector<std::uint64_t> moments;  // the steps that did something outside, where asked for
};

/// The journal's file on the disk, and a disk that holds an empty one.
inline constexpr const char* kJournalFile = "journal.db";
Disk::Files prebuilt_journal(Disk& disk);
/// As a process that starts opens it.
std::unique_ptr<Journal> open_journal_on_disk(Disk& disk);

End run_program(Outside& outside, const Start& start);

}  // namespace postferry::sim
