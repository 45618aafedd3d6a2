#include "connectors/mbox/codec/from_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <vector>

namespace postferry::mbox {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    words.push_back(text.substr(0, text.find_first_of(" \t\r")));
    text.remove_prefix(words.back().size());
  }
}

template <std::size_t N>
bool one_of(const std::array<std::string_view, N>& names, std::string_view word) {
  return std::ranges::find(names, word) != names.end();
}

bool is_zone(std::string_view word) {
  if (word == "GMT" || word == "UTC") return true;
  return word.size() == 5 && (word[0] == '+' || word[0] == '-') &&
         word.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

/// Where `Tue Nov 14 22:13:20` begins; npos where there is no such thing.
std::size_t date_at(const std::vector<std::string_view>& words) {
  for (std::size_t i = 0; i + 4 < words.size(); ++i) {
    if (one_of(kDays, words[i]) && one_of(kMonths, words[i + 1]) &&
        words[i + 3].find(':') != std::string_view::npos) {
      return i;
    }
  }
  return std::string_view::npos;
}

/// `postferry,S=1260`
bool read_own_mark(std::string_view word, FromLine& out) {
  const std::string_view start = kOurFrom.substr(kFrom.size());
  if (!word.starts_with(start)) return false;
  word.remove_prefix(start.size());
  if (!word.starts_with("S=") && !word.starts_with("R=")) return false;
  const char* const last = word.data() + word.size();
  const auto [end, error] = std::from_chars(word.data() + 2, last, out.size_bytes);
  if (error != std::errc() || end != last) return false;
  out.form = word.front() == 'S' ? Form::lines : Form::raw;
  return true;
}

/// `1782471@xxx`
std::uint64_t google_id(std::string_view word) {
  constexpr std::string_view kEnd = "@xxx";
  if (!word.ends_with(kEnd)) return 0;
  word.remove_suffix(kEnd.size());
  const char* const last = word.data() + word.size();
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), last, id);
  return error == std::errc() && end == last ? id : 0;
}

std::string two(long number, char fill = '0') {
  std::string out = std::to_string(number);
  return out.size() < 2 ? fill + out : out;
}

}  // namespace

std::optional<FromLine> parse_from_line(std::string_view line, bool after_blank) {
  if (!line.starts_with(kFrom)) return std::nullopt;
  line = line.substr(kFrom.size(), kMostFromLine);
  const std::vector<std::string_view> words = words_of(line);
  FromLine out;
  const std::size_t at = date_at(words);
  if (at == std::string_view::npos) {
    const bool bare = words.empty() || (words.size() == 1 && words[0] == "-");
    if (after_blank && bare) return out;
    return std::nullopt;
  }
  std::string text;
  for (std::size_t i = at; i < words.size() && i < at + 6; ++i) {
    text.append(i == at ? "" : " ").append(words[i]);
    out.zoned = out.zoned || is_zone(words[i]);
  }
  out.date = mail::parse_date(text);
  if (!out.date) return std::nullopt;
  if (!out.zoned) {
    // A zone by name, as EST, is one that parse_date may know.
    out.zoned = out.date->zone_minutes != 0;
  }
  if (at == 1 && out.zoned) read_own_mark(words[0], out);
  if (at == 1) out.google_id = google_id(words[0]);
  return out;
}

std::string format_from_line(Form form, std::uint64_t size_bytes, const mail::ZonedTime& date) {
  using namespace std::chrono;
  const sys_seconds local{seconds(date.unix_seconds + date.zone_minutes * 60)};
  const sys_days day = floor<days>(local);
  const year_month_day ymd{day};
  const hh_mm_ss time{local - day};
  const int zone = date.zone_minutes < 0 ? -date.zone_minutes : date.zone_minutes;
  std::string year = std::to_string(static_cast<int>(ymd.year()));
  if (year.size() < 4) year.insert(0, 4 - year.size(), '0');
  std::string out(kOurFrom);
  out.append(form == Form::raw ? "R=" : "S=").append(std::to_string(size_bytes)).append(" ");
  out.append(kDays[weekday{day}.c_encoding()]).append(" ");
  out.append(kMonths[static_cast<unsigned>(ymd.month()) - 1]).append(" ");
  out.append(two(static_cast<long>(static_cast<unsigned>(ymd.day())), ' ')).append(" ");
  out.append(two(time.hours().count())).append(":");
  out.append(two(time.minutes().count())).append(":");
  out.append(two(time.seconds().count())).append(" ").append(year).append(" ");
  out.append(date.zone_minutes < 0 ? "-" : "+").append(two(zone / 60)).append(two(zone % 60));
  return out + "\n";
}

}  // namespace postferry::mbox
