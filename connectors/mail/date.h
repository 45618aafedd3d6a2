// Reads the dates of mail headers, as standards and mailers write them, and picks the one at which
// a message arrived. Asks no clock: the present is always handed in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "connectors/mail/header_scan.h"

namespace postferry::mail {

/// An instant, and the zone in which it was written (minutes east of UTC).
struct ZonedTime {
  std::int64_t unix_seconds = 0;
  std::int16_t zone_minutes = 0;

  friend bool operator==(const ZonedTime&, const ZonedTime&) = default;
};

/// Reads one date. Understands RFC 5322 3.3 and 4.3 (obsolete zones, years of two and three digits,
/// comments, no weekday, no seconds), asctime order, `14-Nov-2006`, ISO 8601, fractions of a
/// second, AM and PM, `+01:00`, `GMT+1`; a zone that is missing or unknown counts as UTC (4.3), and
/// so does a time that is missing, as midnight. Words it does not know are passed over. Returns
/// nullopt where day, month or year is missing or impossible; never throws.
std::optional<ZonedTime> parse_date(std::string_view text);

/// Reads the date of a Received field's value: what follows its last semicolon (RFC 5322 3.6.7).
std::optional<ZonedTime> received_date(std::string_view value);

/// Whether mail can have arrived then: not before 1981, at most a day after `now`.
bool plausible(const ZonedTime& time, std::int64_t now_unix_seconds);

/// When a message arrived, by its header: the topmost Received with a plausible date, else a
/// plausible Date, else nullopt.
std::optional<ZonedTime> arrival_date(const HeaderScan& header, std::int64_t now_unix_seconds);

}  // namespace postferry::mail
