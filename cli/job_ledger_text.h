// What a job came to, for people.
#pragma once

#include <string>

#include "cli/exit_code.h"
#include "cli/report.h"

namespace postferry::cli {

/// A line for each account, what failed and why, the sum, and what to do next. With `brief` only
/// what failed: perhaps nothing at all.
std::string job_ledger_text(const JobReport& report, ExitCode code, bool brief);

/// What each account's last run came to, or has come to so far.
std::string job_status_text(const JobReport& report);

/// What check, verify or failed found, account by account.
std::string job_each_text(const JobReport& report, bool brief);

}  // namespace postferry::cli
