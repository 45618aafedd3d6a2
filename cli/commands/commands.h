// The commands, each a function from options to a report.
#pragma once

#include <string>

#include "cli/job_file.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "engine/observer.h"

namespace postferry::cli {

/// What people and the JSON object call the account: its source.
std::string account_name(const PairOptions& options);

/// Carries the account over, showing progress on `terminal`. What goes wrong with servers is in the
/// ledger. Throws Error for what keeps it from beginning: no password, no journal, no transcript.
/// A first SIGINT or SIGTERM ends it in good order; a second one ends the process.
Report run_copy(const PairOptions& options, Terminal& terminal, Observer& log);

/// Does with the job's accounts, side by side, what whole.command says. What goes wrong with one is
/// in its ledger alone. Throws Error for what keeps all from beginning. Signals as for copy.
JobReport run_job(const Job& job, Terminal& terminal, Observer& log);

/// The same for undo; asks once for all, as run_undo does for one.
JobReport run_job_undo(const Job& job, Terminal& terminal, Observer& log);

/// What the journal knows of the job's accounts, for status and report. Throws Error.
JobReport run_job_past(const Job& job);

/// Compares the target with the source, or with the journal where the source is gone. Throws Error
/// for what keeps it from beginning. Signals as for copy.
Report run_verify(const PairOptions& options, Terminal& terminal, Observer& log);

/// Lists what could not be copied; exports and settles it, where that is asked for. Throws Error.
Report run_failed(const PairOptions& options, Terminal& terminal, Observer& log);

/// Takes one run back. Asks on the terminal; throws Error{usage} where nobody can be asked and
/// nothing was said before. Signals as for copy.
Report run_undo(const PairOptions& options, Terminal& terminal, Observer& log);

/// Reads the runs from the journal, also while one is under way. Throws Error; Error{usage} when it
/// knows nothing of the pair.
Report run_status(const PairOptions& options);

/// Reads what one run came to. Throws Error; Error{usage} when there is no such run.
Report run_report(const PairOptions& options);

/// Logs in at both ends and looks (check_account); partial if anything would fail. Throws Error. A
/// SIGINT or SIGTERM ends it: interrupted.
Report run_check(const PairOptions& options, Observer& log);

}  // namespace postferry::cli
