// Dates by civil-calendar arithmetic of <chrono>; no locale, no time zone database.
#include "connectors/imap/codec/internal_date.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "connectors/imap/codec/lexer.h"

namespace postferry::imap {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int kMinutesPerDay = 24 * 60;

/// Takes exactly `count` digits from `text`; -1 if they are not there.
int take_digits(std::string_view& text, std::size_t count) {
  const auto number = to_number32(text.substr(0, count));
  if (text.size() < count || !number) return -1;
  text.remove_prefix(count);
  return static_cast<int>(*number);
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_spaces(std::string_view& text) {
  bool any = false;
  while (take(text, ' ')) any = true;
  return any;
}

/// 1 to 12, or 0.
unsigned take_month(std::string_view& text) {
  const std::string_view name = text.substr(0, 3);
  for (unsigned i = 0; i < kMonths.size(); ++i) {
    if (!same_ascii(name, kMonths[i])) continue;
    text.remove_prefix(name.size());
    return i + 1;
  }
  return 0;
}

std::optional<std::chrono::sys_days> take_day(std::string_view& text) {
  take_spaces(text);
  const int day = take_digits(text, text.size() > 1 && text[1] != '-' ? 2 : 1);
  if (day < 1 || !take(text, '-')) return std::nullopt;
  const unsigned month = take_month(text);
  if (month == 0 || !take(text, '-')) return std::nullopt;
  const int year = take_digits(text, 4);
  if (year < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

/// Seconds since midnight, or -1.
std::int64_t take_time(std::string_view& text) {
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return -1;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ':')) return -1;
  const int second = take_digits(text, 2);
  if (second < 0 || second > 60) return -1;
  return std::int64_t{hour} * 3600 + minute * 60 + second;
}

std::optional<int> take_zone(std::string_view& text) {
  const bool west = text.starts_with('-');
  if (!take(text, '-') && !take(text, '+')) return std::nullopt;
  const int hours = take_digits(text, 2);
  const int minutes = take_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (west ? -1 : 1) * (hours * 60 + minutes);
}

/// Writes `value`, which is not negative, into the `width` characters at `at`.
void put(std::string& out, std::size_t at, std::size_t width, std::int64_t value) {
  for (std::size_t i = width; i-- > 0; value /= 10)
    out[at + i] = static_cast<char>('0' + value % 10);
}

}  // namespace

std::optional<DateTime> parse_internal_date(std::string_view text) {
  const auto day = take_day(text);
  if (!day || !take_spaces(text)) return std::nullopt;
  const std::int64_t time = take_time(text);
  if (time < 0 || !take_spaces(text)) return std::nullopt;
  const auto zone = take_zone(text);
  take_spaces(text);
  if (!zone || !text.empty()) return std::nullopt;
  const std::int64_t days = day->time_since_epoch().count();
  return DateTime{days * 86400 + time - std::int64_t{*zone} * 60, static_cast<std::int16_t>(*zone)};
}

std::optional<std::string> format_internal_date(DateTime date) {
  using namespace std::chrono;
  constexpr auto kFirst = sys_seconds(sys_days(year(1) / 1 / 1)).time_since_epoch().count();
  constexpr auto kEnd = sys_seconds(sys_days(year(10000) / 1 / 1)).time_since_epoch().count();
  // A day of slack on both sides keeps the sum from overflowing; the zone is judged after it.
  if (date.seconds < kFirst - 86400 || date.seconds >= kEnd + 86400) return std::nullopt;
  const int zone = date.zone_minutes;
  if (zone <= -kMinutesPerDay || zone >= kMinutesPerDay) return std::nullopt;
  const std::int64_t local = date.seconds + std::int64_t{zone} * 60;
  if (local < kFirst || local >= kEnd) return std::nullopt;

  const sys_seconds instant{seconds(local)};
  const sys_days midnight = floor<days>(instant);
  const year_month_day day(midnight);
  const std::int64_t time = (instant - midnight).count();
  std::string out = "00-Mon-0000 00:00:00 +0000";
  put(out, 0, 2, unsigned{day.day()});
  out.replace(3, 3, kMonths[unsigned{day.month()} - 1]);
  put(out, 7, 4, int{day.year()});
  put(out, 12, 2, time / 3600);
  put(out, 15, 2, time / 60 % 60);
  put(out, 18, 2, time % 60);
  out[21] = zone < 0 ? '-' : '+';
  const int size = std::abs(zone);
  put(out, 22, 2, size / 60);
  put(out, 24, 2, size % 60);
  return out;
}

}  // namespace postferry::imap
