// INTERNALDATE between its wire form and a number (RFC 3501, date-time). Whether a date is
// plausible is not decided here, and there is no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postferry::imap {

/// An instant, and the zone in which it was written (minutes east of UTC).
struct DateTime {
  std::int64_t seconds = 0;  // since 1970-01-01T00:00:00Z
  std::int16_t zone_minutes = 0;

  friend bool operator==(const DateTime&, const DateTime&) = default;
};

/// Reads ` 7-Nov-2016 10:11:12 +0100` without its quotes. The day may have one or two digits, with
/// or without spaces before it; months ignore case. Nothing for anything else or out of range
/// (day 0, February 30, 24:00, year 0, a zone of a day or more): Domino sends `00-Jan-0000`.
/// A leap second counts as the first second of the next minute.
std::optional<DateTime> parse_internal_date(std::string_view text);

/// Writes the 26 characters of date-time, without quotes; nothing when the year in that zone is
/// not 1 to 9999 or the zone is a day or more. parse_internal_date() gives the same value back.
std::optional<std::string> format_internal_date(DateTime date);

}  // namespace postferry::imap
