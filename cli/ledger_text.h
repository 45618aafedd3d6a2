// What a command came to, for people.
#pragma once

#include <string>

#include "cli/exit_code.h"
#include "cli/report.h"

namespace postferry::cli {

/// The ledger: folders where something happened, what failed and why in the server's words, the
/// sum, and what to do next. What ended the whole account is not in it: that goes to stderr. With
/// `brief`, and where nothing began, only folders and messages that failed: perhaps nothing at all.
std::string ledger_text(const Report& report, ExitCode code, bool brief);

/// The folders and messages that failed, and why; perhaps nothing.
std::string failures_text(const Report& report);

/// The balance of the ledger, and what else was done.
std::string sum_text(const Report& report);

/// What `check` found; nothing when it failed.
std::string check_text(const Report& report);

/// What to do now, one line without a line end; may be empty.
std::string advice(const Report& report, ExitCode code);

}  // namespace postferry::cli
