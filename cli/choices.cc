#include "cli/choices.h"

#include <fmt/format.h>

#include <string_view>

#include "cli/values.h"
#include "engine/error.h"

namespace postferry::cli {

Level level_of(const std::string& text) {
  for (Level level : {Level::debug, Level::info, Level::warning, Level::error}) {
    static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
    if (text == kNames[static_cast<int>(level)]) return level;
  }
  throw BadValue(
      fmt::format("\"{}\" is no level; write debug, info, warning or error", printable(text, 80)));
}

ReportFormat format_of(const std::string& text) {
  for (ReportFormat format :
       {ReportFormat::text, ReportFormat::json, ReportFormat::csv, ReportFormat::html}) {
    static constexpr const char* kNames[] = {"text", "json", "csv", "html"};
    if (text == kNames[static_cast<int>(format)]) return format;
  }
  throw BadValue(
      fmt::format("\"{}\" is no format; write text, json, csv or html", printable(text, 80)));
}

VerifyLevel verify_level_of(const std::string& text) {
  for (VerifyLevel level : {VerifyLevel::count, VerifyLevel::header, VerifyLevel::bytes}) {
    if (text == to_string(level)) return level;
  }
  throw BadValue(
      fmt::format("\"{}\" is no level; write count, header or bytes", printable(text, 80)));
}

VerifyAgainst verify_against_of(const std::string& text) {
  for (VerifyAgainst against : {VerifyAgainst::source, VerifyAgainst::journal})
    if (text == to_string(against)) return against;
  throw BadValue(fmt::format("\"{}\" is neither source nor journal", printable(text, 80)));
}

Deletions deletions_of(const std::string& text) {
  if (text == "keep") return Deletions::keep;
  if (text == "mirror") return Deletions::mirror;
  throw BadValue(fmt::format("\"{}\" is neither keep nor mirror", printable(text, 80)));
}

std::optional<std::chrono::days> after_copy_of(const std::string& text) {
  constexpr std::string_view kLater = "delete-after=";
  if (text == "keep") return std::nullopt;
  if (text == "delete") return std::chrono::days(0);
  if (!text.starts_with(kLater))
    throw BadValue(fmt::format("\"{}\" is neither keep nor delete nor delete-after=DAYS",
                               printable(text, 80)));
  return std::chrono::days(parse_whole_number(text.substr(kLater.size()), 0, 36'500));
}

}  // namespace postferry::cli
