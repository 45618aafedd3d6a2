// Reads the words among which people choose behind an option. Each throws BadValue with the words
// that there are.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/options.h"

namespace postferry::cli {

Level level_of(const std::string& text);
ReportFormat format_of(const std::string& text);
VerifyLevel verify_level_of(const std::string& text);
VerifyAgainst verify_against_of(const std::string& text);
Deletions deletions_of(const std::string& text);
/// "keep", which is nothing; "delete", which is at once; "delete-after=DAYS".
std::optional<std::chrono::days> after_copy_of(const std::string& text);

}  // namespace postferry::cli
