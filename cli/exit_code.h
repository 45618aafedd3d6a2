// What the caller's shell is told: DESIGN section 7, "Exit status". Pure.
#pragma once

#include <span>

#include "engine/error.h"
#include "engine/ledger.h"

namespace postferry::cli {

/// After sysexits(3). A contract: scripts depend on the numbers.
enum class ExitCode : int {
  complete = 0,
  usage = 64,
  partial = 65,      // done, but some messages or folders failed; or the target is full
  unreachable = 69,  // a server was never reached
  bug = 70,
  local_file = 73,   // a local file cannot be read or written
  journal = 74,      // journal or disk I/O
  interrupted = 75,  // stopped before the end: run again to resume
  protocol = 76,     // protocol or TLS failure
  auth = 77,         // login refused
  job_file = 78,     // the job file is wrong
  at_once = 130,     // a second signal
};

/// For an error that ended everything before a ledger could be made.
ExitCode exit_code(const Error& error);

/// For one account's end.
ExitCode exit_code(const Ledger& ledger);

/// For the end of many: complete; interrupted, if one was; the reason for which all failed, if it
/// was one for all; else partial.
ExitCode exit_code(std::span<const Ledger> ledgers);

}  // namespace postferry::cli
