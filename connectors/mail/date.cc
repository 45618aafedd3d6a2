// A date is taken apart into words, and each word is known by its shape, so that the order in which
// a mailer wrote them does not matter much.
#include "connectors/mail/date.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

namespace postferry::mail {
namespace {

constexpr std::size_t kMaxDateBytes = 512;
constexpr std::int64_t kFirstPlausible = 347155200;  // 1981-01-01T00:00:00Z
constexpr std::int64_t kDay = 86400;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_alpha(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

/// Without comments (nested, RFC 5322 3.2.2), in lower case; a comment left open swallows the rest.
std::string without_comments(std::string_view text) {
  std::string plain;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') {
      ++depth;
    } else if (text[i] == ')') {
      if (depth > 0) --depth;
      plain += ' ';
    } else if (depth == 0) {
      plain += lower(text[i]);
    } else if (text[i] == '\\') {
      ++i;
    }
  }
  return plain;
}

int number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

/// Takes up to `most` leading digits off `text`; an empty view where there is none.
std::string_view take_digits(std::string_view& text, std::size_t most) {
  std::size_t count = 0;
  while (count < text.size() && count < most && is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

int month_by_name(std::string_view word) {
  constexpr std::array<std::string_view, 12> kMonths = {
      "january", "february", "march",     "april",   "may",      "june",
      "july",    "august",   "september", "october", "november", "december"};
  if (word.size() < 3) return 0;
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i].starts_with(word)) return static_cast<int>(i) + 1;
  }
  return 0;
}

/// Minutes of a zone name; RFC 5322 4.3 for the first ten, custom for the others.
std::optional<int> zone_by_name(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, int>, 26> kZones = {{
      {"ut", 0},     {"gmt", 0},    {"est", -300}, {"edt", -240}, {"cst", -360}, {"cdt", -300},
      {"mst", -420}, {"mdt", -360}, {"pst", -480}, {"pdt", -420}, {"utc", 0},    {"z", 0},
      {"wet", 0},    {"west", 60},  {"bst", 60},   {"cet", 60},   {"met", 60},   {"mez", 60},
      {"cest", 120}, {"mest", 120}, {"mesz", 120}, {"eet", 120},  {"eest", 180}, {"msk", 180},
      {"jst", 540},  {"nzst", 720},
  }};
  for (const auto& [name, minutes] : kZones) {
    if (word == name) return minutes;
  }
  return std::nullopt;
}

/// `+0100`, `-01:30`, `+1`, with the sign; anything that is no zone on earth is unknown.
std::optional<int> zone_by_offset(std::string_view word) {
  const int sign = word.front() == '-' ? -1 : 1;
  word.remove_prefix(1);
  std::string_view rest = word;
  std::string_view hours = take_digits(rest, 2);
  if (hours.empty()) return std::nullopt;
  std::string_view minutes;
  if (rest.starts_with(':')) rest.remove_prefix(1);
  if (word.size() == 3 && rest.size() == 1) {  // +530
    hours = word.substr(0, 1);
    rest = word.substr(1);
  }
  minutes = take_digits(rest, 2);
  if (!rest.empty() && is_digit(rest.front())) return std::nullopt;
  const int total = number(hours) * 60 + number(minutes);
  if (number(minutes) > 59 || total > 15 * 60 + 59) return std::nullopt;
  return sign * total;
}

/// What the words of a date have told so far; of each part the first to be told stands.
class DateParts {
 public:
  void word(std::string_view text) {
    if (is_alpha(text.front())) {
      name(text);
    } else if (is_digit(text.front())) {
      if (text.find(':') != std::string_view::npos && !time_seen_) {
        const std::size_t t = text.find('t');
        if (t != std::string_view::npos && t < text.find(':')) {
          date(text.substr(0, t));
          text.remove_prefix(t + 1);
        }
        time(text, ':');
      } else if (looks_like_dotted_time(text)) {
        time(text, '.');
      } else {
        date(text);
      }
    } else if ((text.front() == '+' || text.front() == '-') && time_seen_ && !zone_seen_) {
      offset(text);
    }
  }

  std::optional<ZonedTime> result() const {
    if (year_ < 0 || month_ == 0 || day_ == 0) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(year_),
                                           std::chrono::month(static_cast<unsigned>(month_)),
                                           std::chrono::day(static_cast<unsigned>(day_))};
    int hour = hour_;
    if (pm_ && hour < 12) hour += 12;
    if (am_ && hour == 12) hour = 0;
    if (!date.ok() || bad_time_ || hour > 23 || minute_ > 59 || second_ > 60) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    const std::int64_t local = days * kDay + hour * 3600 + minute_ * 60 + second_;
    return ZonedTime{local - zone_ * 60, static_cast<std::int16_t>(zone_)};
  }

 private:
  void name(std::string_view text) {
    if (text == "am" || text == "pm") {
      am_ = text == "am";
      pm_ = text == "pm";
      return;
    }
    const std::size_t cut = text.find_first_of("+-");
    const std::string_view word = text.substr(0, cut);
    const auto zone = zone_by_name(word);
    if (zone && time_seen_ && !zone_seen_) {
      zone_ = *zone;
      zone_seen_ = true;
      if (cut != std::string_view::npos) {  // GMT+0100
        zone_seen_ = false;
        offset(text.substr(cut));
      }
    } else if (month_ == 0) {
      month_ = month_by_name(word);
      // Jan-14-2006
      if (month_ != 0 && cut != std::string_view::npos) numbers(text.substr(cut + 1));
    }
  }

  void offset(std::string_view text) {
    zone_seen_ = true;
    zone_ = zone_by_offset(text).value_or(0);
  }

  /// `12:34`, `12:34:56`, `12:34:56.789`, and a zone or AM/PM glued to the end.
  void time(std::string_view text, char separator) {
    time_seen_ = true;
    const std::string_view hour = take_digits(text, 2);
    hour_ = number(hour);
    for (int* part : {&minute_, &second_}) {
      if (!text.starts_with(separator)) break;
      text.remove_prefix(1);
      const std::string_view digits = take_digits(text, 2);
      if (digits.empty()) bad_time_ = true;
      *part = number(digits);
    }
    if (text.starts_with('.') || text.starts_with(',')) {
      text.remove_prefix(1);
      while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
    }
    if (text.empty()) return;
    if (is_digit(text.front()) || text.front() == separator) bad_time_ = true;
    if (is_alpha(text.front()) || text.front() == '+' || text.front() == '-') word(text);
  }

  static bool looks_like_dotted_time(std::string_view text) {
    return std::ranges::count(text, '.') == 2 &&
           text.find_first_not_of("0123456789.") == text.npos && text.size() <= 8 &&
           text.find('.') <= 2;
  }

  /// A bare number, or several joined by `-` or `/`: 14, 2006, 14-nov-2006, 2006-11-14.
  void date(std::string_view text) {
    if (text.find_first_of("-/") == std::string_view::npos) {
      numbers(text);
      return;
    }
    const std::string_view first = text.substr(0, text.find_first_of("-/"));
    if (first.size() == 4 && year_ < 0) {
      std::string_view rest = text;
      year_ = number(take_digits(rest, 4));
      if (!rest.empty()) rest.remove_prefix(1);
      if (month_ == 0) month_ = number(take_digits(rest, 2));
      if (!rest.empty()) rest.remove_prefix(1);
      if (day_ == 0) day_ = number(take_digits(rest, 2));
      return;
    }
    numbers(text);
  }

  void numbers(std::string_view text) {
    while (!text.empty()) {
      const std::size_t cut = text.find_first_of("-/");
      const std::string_view part = text.substr(0, cut);
      text.remove_prefix(cut == std::string_view::npos ? text.size() : cut + 1);
      if (part.empty()) continue;
      if (is_alpha(part.front())) {
        if (month_ == 0) month_ = month_by_name(part);
        continue;
      }
      std::string_view rest = part;
      const std::string_view digits = take_digits(rest, 4);
      if (digits.empty() || !rest.empty()) continue;
      if (digits.size() <= 2 && day_ == 0) {
        day_ = number(digits);
      } else if (digits.size() >= 2 && year_ < 0) {
        // RFC 5322 4.3: two digits below 50 are this century's, three digits count from 1900.
        const int value = number(digits);
        year_ = digits.size() == 4                 ? value
                : value < 50 && digits.size() == 2 ? value + 2000
                                                   : value + 1900;
      }
    }
  }

  int year_ = -1;
  int month_ = 0;
  int day_ = 0;
  int hour_ = 0;
  int minute_ = 0;
  int second_ = 0;
  int zone_ = 0;
  bool time_seen_ = false;
  bool zone_seen_ = false;
  bool bad_time_ = false;
  bool am_ = false;
  bool pm_ = false;
};

}  // namespace

std::optional<ZonedTime> parse_date(std::string_view text) {
  const std::string plain = without_comments(text.substr(0, kMaxDateBytes));
  constexpr std::string_view kSpace = " \t\r\n,;\"";
  DateParts parts;
  std::size_t start = 0;
  while ((start = plain.find_first_not_of(kSpace, start)) != std::string::npos) {
    const std::size_t end = std::min(plain.find_first_of(kSpace, start), plain.size());
    parts.word(std::string_view(plain).substr(start, end - start));
    start = end;
  }
  return parts.result();
}

std::optional<ZonedTime> received_date(std::string_view value) {
  // The last semicolon outside of comments; where the parentheses are broken, the last of all.
  int depth = 0;
  std::size_t last = std::string_view::npos;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\') {
      ++i;
    } else if (value[i] == '(') {
      ++depth;
    } else if (value[i] == ')') {
      depth = std::max(0, depth - 1);
    } else if (value[i] == ';' && depth == 0) {
      last = i;
    }
  }
  if (last != std::string_view::npos) {
    if (const auto date = parse_date(value.substr(last + 1))) return date;
  }
  const std::size_t any = value.rfind(';');
  if (any == std::string_view::npos || any == last) return std::nullopt;
  return parse_date(value.substr(any + 1));
}

bool plausible(const ZonedTime& time, std::int64_t now_unix_seconds) {
  return time.unix_seconds >= kFirstPlausible && time.unix_seconds <= now_unix_seconds + kDay;
}

std::optional<ZonedTime> arrival_date(const HeaderScan& header, std::int64_t now_unix_seconds) {
  for (const std::string& received : header.received) {
    const auto date = received_date(received);
    if (date && plausible(*date, now_unix_seconds)) return date;
  }
  if (!header.date) return std::nullopt;
  const auto date = parse_date(*header.date);
  return date && plausible(*date, now_unix_seconds) ? date : std::nullopt;
}

}  // namespace postferry::mail
