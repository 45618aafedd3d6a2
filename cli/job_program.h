// A command on a job, from its file to its exit status.
#pragma once

#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace postferry::cli {

/// Runs the command on every account, and tells what it came to. Throws nothing but UsageError.
ExitCode run_on_job(const JobRequest& request, Terminal& terminal);

}  // namespace postferry::cli
