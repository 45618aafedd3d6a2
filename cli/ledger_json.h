// The object that --json prints: DESIGN section 7. A contract; keys are only ever added.
#pragma once

#include <string>

#include "cli/report.h"

namespace postferry::cli {

/// One object on one line, with a line end.
std::string ledger_json(const Report& report);

}  // namespace postferry::cli
