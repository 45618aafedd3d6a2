// See imap_text.h. Written anew rather than borrowed from the client's codec, which it tests.
#include "tests/sim/imap_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace postferry::sim {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> uid_of(std::string_view text, std::uint32_t last) {
  if (text == "*") return last;
  const auto value = number(text);
  if (!value || *value <= 0) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

}  // namespace

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string write_date(InternalDate date, bool two_digits) {
  using namespace std::chrono;
  const sys_seconds local{seconds(date.seconds + 60 * date.zone_minutes)};
  const sys_days day = floor<days>(local);
  const year_month_day ymd(day);
  const hh_mm_ss time(local - day);
  const int zone = std::abs(date.zone_minutes);
  const unsigned month = static_cast<unsigned>(ymd.month());
  std::string day_text = fmt::format("{:>2}", static_cast<unsigned>(ymd.day()));
  if (two_digits && day_text[0] == ' ') day_text[0] = '0';
  return fmt::format("{}-{}-{:04} {:02}:{:02}:{:02} {}{:02}{:02}", day_text, kMonths[month - 1],
                     static_cast<int>(ymd.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count(), date.zone_minutes < 0 ? '-' : '+', zone / 60,
                     zone % 60);
}

std::optional<InternalDate> read_date(std::string_view text) {
  using namespace std::chrono;
  if (text.size() != 26) return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(3, 3));
  const auto day_number = number(text.substr(text[0] == ' ' ? 1 : 0, text[0] == ' ' ? 1 : 2));
  const auto year_number = number(text.substr(7, 4)), hour = number(text.substr(12, 2)),
             minute = number(text.substr(15, 2)), second = number(text.substr(18, 2)),
             zone_hour = number(text.substr(22, 2)), zone_minute = number(text.substr(24, 2));
  if (month == kMonths.end() || !day_number || !year_number || !hour || !minute || !second ||
      !zone_hour || !zone_minute || text[2] != '-' || text[6] != '-' || text[11] != ' ' ||
      text[14] != ':' || text[17] != ':' || text[20] != ' ' || (text[21] != '+' && text[21] != '-'))
    return std::nullopt;
  const year_month_day ymd{year(*year_number),
                           std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                           day(static_cast<unsigned>(*day_number))};
  if (!ymd.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const int zone = (text[21] == '-' ? -1 : 1) * (*zone_hour * 60 + *zone_minute);
  const auto local =
      sys_days(ymd).time_since_epoch() + hours(*hour) + minutes(*minute) + seconds(*second);
  return InternalDate{duration_cast<seconds>(local).count() - 60 * zone,
                      static_cast<std::int16_t>(zone)};
}

bool UidSet::contains(std::uint32_t uid) const {
  return std::ranges::any_of(
      ranges, [uid](const auto& range) { return range.first <= uid && uid <= range.second; });
}

std::optional<UidSet> read_set(std::string_view text, std::uint32_t last) {
  UidSet set;
  std::uint32_t highest = 0;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const std::size_t colon = part.find(':');
    const auto from = uid_of(part.substr(0, colon), last);
    const auto to = colon == std::string_view::npos ? from : uid_of(part.substr(colon + 1), last);
    if (!from || !to) return std::nullopt;
    // `n:*` may be descending through no fault of the client's.
    if ((*from > *to && !part.ends_with('*')) || *from < highest) set.descending = true;
    highest = std::max(*from, *to);
    set.ranges.emplace_back(std::min(*from, *to), std::max(*from, *to));
  }
  if (set.ranges.empty()) return std::nullopt;
  return set;
}

std::string write_set(const std::vector<std::uint32_t>& uids) {
  std::string out;
  for (std::size_t i = 0; i < uids.size();) {
    std::size_t end = i + 1;
    while (end < uids.size() && uids[end] == uids[end - 1] + 1) ++end;
    out += fmt::format("{}{}", out.empty() ? "" : ",", uids[i]);
    if (end - i > 1) out += fmt::format(":{}", uids[end - 1]);
    i = end;
  }
  return out;
}

}  // namespace postferry::sim
