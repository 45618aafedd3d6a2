// The object that --json prints: DESIGN section 7. A contract; keys are only ever added.
#pragma once

#include <string>

#include "cli/report.h"

namespace postferry::cli {

/// One object on one line, with a line end.
std::string ledger_json(const Report& report);

/// The same for a job: an object for each account, and their sums.
std::string job_json(const JobReport& job);

}  // namespace postferry::cli
