// The whole program behind main: reads the command line, runs the command, tells the report.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace postferry::cli {

/// stdout is data (the ledger, JSON, help), stderr is progress and log. Throws nothing: what nobody
/// should throw is exit status 70.
ExitCode run_program(const std::vector<std::string>& arguments);

}  // namespace postferry::cli
