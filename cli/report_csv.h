// One run as CSV: a line a folder, a line a refused message. For spreadsheets, which read some
// texts as formulas.
#pragma once

#include <string>

#include "cli/report.h"

namespace postferry::cli {

std::string report_csv(const Report& report);

/// A field in quotes (RFC 4180), control characters as \\xNN. What a spreadsheet would take for a
/// formula, a text that begins with = + - @, a tab or a line end, gets a ' before it.
std::string csv_field(std::string_view text);

/// All accounts of a job; one that was stopped has a row of its own.
std::string job_csv(const JobReport& job);

}  // namespace postferry::cli
