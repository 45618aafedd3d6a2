#include "cli/exit_code.h"

namespace postferry::cli {
ExitCode exit_code(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::transient:
    case ErrorKind::throttled:
      return ExitCode::interrupted;
    case ErrorKind::unreachable:
      return ExitCode::unreachable;
    case ErrorKind::auth:
      return ExitCode::auth;
    case ErrorKind::rejected:
    case ErrorKind::quota:
      return ExitCode::partial;
    case ErrorKind::protocol:
    case ErrorKind::tls:
      return ExitCode::protocol;
    case ErrorKind::local:
      return ExitCode::local_file;
    case ErrorKind::journal:
      return ExitCode::journal;
    case ErrorKind::usage:
      return ExitCode::usage;
  }
  return ExitCode::bug;
}

ExitCode exit_code(const Ledger& ledger) {
  if (ledger.error) {
    // Folders are there once both ends have been listed: from then on a server that cannot be
    // reached was lost on the way.
    const bool lost = ledger.error->kind() == ErrorKind::unreachable && !ledger.folders.empty();
    return lost ? ExitCode::interrupted : exit_code(*ledger.error);
  }
  switch (ledger.outcome) {
    case Outcome::complete:
      return ExitCode::complete;
    case Outcome::partial:
      return ExitCode::partial;
    case Outcome::interrupted:
      return ExitCode::interrupted;
    case Outcome::failed:
      return ExitCode::partial;
  }
  return ExitCode::bug;
}

ExitCode exit_code(std::span<const Ledger> ledgers) {
  std::size_t complete = 0;
  bool interrupted = false;
  std::optional<ExitCode> reason;
  bool one_reason = true;
  for (const Ledger& ledger : ledgers) {
    const ExitCode code = exit_code(ledger);
    if (code == ExitCode::complete) {
      ++complete;
    } else if (code == ExitCode::interrupted) {
      interrupted = true;
    } else {
      one_reason = one_reason && (!reason || reason == code);
      reason = code;
    }
  }
  if (complete == ledgers.size()) return ExitCode::complete;
  if (interrupted) return ExitCode::interrupted;
  return one_reason && complete == 0 ? *reason : ExitCode::partial;
}

}  // namespace postferry::cli
