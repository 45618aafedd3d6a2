#include "cli/values.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "engine/error.h"

namespace postferry::cli {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// Takes the leading digits off `text`; nullopt when there are none or they do not fit.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// Exactly `digits` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// The day's first second, UTC.
std::optional<std::int64_t> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400};
}

std::optional<std::int64_t> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  if (take(text, ".")) {
    if (!take_digits(text, 1)) return std::nullopt;
    while (take_digits(text, 1)) {
    }
  }
  return *hour * 3600 + *minute * 60 + *second;
}

/// Seconds east of UTC.
std::optional<std::int64_t> take_zone(std::string_view& text) {
  if (take(text, "Zz")) return 0;
  const bool east = take(text, "+");
  if (!east && !take(text, "-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::int64_t seconds = *hours * 3600 + *minutes * 60;
  return east ? seconds : -seconds;
}

std::optional<std::int64_t> read_instant(std::string_view text) {
  const auto date = take_date(text);
  if (!date || text.empty()) return date;
  if (!take(text, "Tt ")) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return *date + *time - *zone;
}

std::optional<std::uint64_t> unit_of_size(const std::string& unit) {
  if (unit.empty() || unit == "b") return 1;
  const std::size_t power = std::string_view("kmgt").find(unit[0]);
  const std::string rest = unit.substr(1);
  if (power == std::string_view::npos) return std::nullopt;
  if (rest != "" && rest != "b" && rest != "ib") return std::nullopt;
  std::uint64_t result = 1;
  for (std::size_t i = 0; i <= power; ++i) result *= rest == "ib" ? 1024 : 1000;
  return result;
}

}  // namespace

std::uint64_t parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  const auto unit = unit_of_size(lower(rest));
  if (!number || !unit) {
    throw BadValue(
        fmt::format("\"{}\" is not a size; write it like 4096, 25M or 48MiB", printable(text, 80)));
  }
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (*number > kMost / *unit) throw BadValue(fmt::format("{} is too large", printable(text, 80)));
  return *number * *unit;
}

std::uint64_t parse_daily(std::string_view text) {
  if (text == "none") return 0;
  const std::uint64_t size = parse_size(text);
  if (size < 1000) throw BadValue("less than 1K a day is too little");
  return size;
}

std::uint64_t parse_rate(std::string_view text) {
  const std::uint64_t size = parse_size(text);
  if (size < 1000) throw BadValue("less than 1K a second is too little");
  return size;
}

int parse_whole_number(const std::string& text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw BadValue(fmt::format("\"{}\" is not a whole number between {} and {}",
                               printable(text, 80), least, most));
  }
  return value;
}

std::int64_t parse_instant(std::string_view text) {
  const auto instant = read_instant(text);
  if (!instant) {
    throw BadValue(
        fmt::format("\"{}\" is not a date; write it like 2019-07-31 or 2019-07-31T08:00:00Z (UTC)",
                    printable(text, 80)));
  }
  return *instant;
}

std::chrono::milliseconds parse_duration(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  const std::string unit = lower(rest);
  std::uint64_t factor = 0;
  if (unit.empty() || unit == "s") factor = 1;
  if (unit == "m") factor = 60;
  if (unit == "h") factor = 3600;
  constexpr std::uint64_t kDay = 86'400;
  if (!number || factor == 0 || *number < 1 || *number > kDay / factor) {
    throw BadValue(fmt::format(
        "\"{}\" is not a time between 1 second and 24 hours; write it like 90, 5m or 1h",
        printable(text, 80)));
  }
  return std::chrono::seconds(*number * factor);
}

std::pair<FolderName, FolderName> parse_folder_pair(std::string_view text) {
  const std::size_t at = text.find('=');
  const FolderName to = at == text.npos ? FolderName() : FolderName::parse(text.substr(at + 1));
  if (at == 0 || to.empty()) {
    throw BadValue(fmt::format("\"{}\" names no two folders; write FROM=TO, like Sent=Archive/Sent",
                               printable(text, 80)));
  }
  const std::string_view from = text.substr(0, at);
  return {FolderName::parse(from), to};
}

std::string parse_address(const std::string& text) {
  constexpr std::size_t kMost = 320;  // RFC 5321 4.5.3.1: 64 before the @, 255 behind
  const std::size_t at = text.rfind('@');
  const bool parts = at != 0 && at + 1 != text.size();
  const bool plain = std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>';
  });
  if (!parts || !plain || text.size() > kMost)
    throw BadValue(fmt::format("\"{}\" is no mail address; write it like ann@mail.example",
                               printable(text, 80)));
  return text;
}

}  // namespace postferry::cli
