// One run as a page of its own: nothing is loaded from anywhere, and whatever a server said is
// escaped.
#pragma once

#include <string>

#include "cli/report.h"

namespace postferry::cli {

std::string report_html(const Report& report);

/// Text between tags or in a quoted attribute; control characters and bad UTF-8 become \\xNN.
std::string html_escaped(std::string_view text);

/// The same for a job: every account, and what it came to.
std::string job_html(const JobReport& job);

}  // namespace postferry::cli
