// Reads the values that people write behind options: sizes, dates, durations, folder pairs.
// Pure; must not know which option it reads for.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "engine/model.h"

namespace postferry::cli {

/// A value that cannot be read; what() says why and what was expected, in one line, without the
/// option's name.
class BadValue : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "4096", "25M" and "25MB" (powers of 1000), "48MiB" (powers of 1024); K, M, G, T in any case.
/// Throws BadValue, also when the size does not fit 63 bits.
std::uint64_t parse_size(std::string_view text);

/// Bytes a day, as parse_size() has them; "none" is 0. Throws BadValue.
std::uint64_t parse_daily(std::string_view text);

/// Bytes a second, as parse_size() has them; 1000 at least. Throws BadValue.
std::uint64_t parse_rate(std::string_view text);

/// Throws BadValue, also when it is not between these two, both included.
int parse_whole_number(const std::string& text, int least, int most);

/// "2019-07-31" (its first second, UTC) or an RFC 3339 instant such as 2019-07-31T08:00:00+02:00.
/// Seconds since 1970 UTC; a fraction of a second is cut off. Throws BadValue.
std::int64_t parse_instant(std::string_view text);

/// "90", "90s", "5m", "1h"; at least a second, at most a day. Throws BadValue.
std::chrono::milliseconds parse_duration(std::string_view text);

/// "FROM=TO", parted at the first `=`; FROM is empty, the level above all, where it is written "/".
/// Throws BadValue when a side is empty.
std::pair<FolderName, FolderName> parse_folder_pair(std::string_view text);

/// A mail address as SMTP says it: LOCAL@DOMAIN, or LOCAL alone. Throws BadValue.
std::string parse_address(const std::string& text);

}  // namespace postferry::cli
