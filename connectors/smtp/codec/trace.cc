#include "connectors/smtp/codec/trace.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

namespace postferry::smtp {
namespace {

constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string padded(std::int64_t number, std::size_t digits) {
  std::string text = std::to_string(number);
  return std::string(digits > text.size() ? digits - text.size() : 0, '0') + text;
}

/// One field with its folded lines and line ends, or a line that is none.
struct Field {
  std::string name;  // lower case; empty: no field
  std::string_view whole;
};

/// The fields of the header at the start of `bytes`; `end` is where the blank line begins.
std::vector<Field> fields_of(std::string_view bytes, std::size_t& end) {
  std::vector<Field> fields;
  end = 0;
  while (end < bytes.size()) {
    const auto line_end = [&bytes](std::size_t from) {
      const std::size_t newline = bytes.find('\n', from);
      return newline == std::string_view::npos ? bytes.size() : newline + 1;
    };
    const std::size_t begin = end;
    std::size_t next = line_end(begin);
    const std::string_view line = bytes.substr(begin, next - begin);
    if (line == "\r\n" || line == "\n") break;
    while (next < bytes.size() && is_space(bytes[next])) next = line_end(next);
    const std::size_t colon = line.find(':');
    std::string name;
    if (!is_space(line.front()) && colon != std::string_view::npos) {
      std::string_view before = line.substr(0, colon);
      while (!before.empty() && is_space(before.back())) before.remove_suffix(1);
      if (before.find_first_of(" \t") == std::string_view::npos) name = lower(before);
    }
    fields.push_back({std::move(name), bytes.substr(begin, next - begin)});
    end = next;
  }
  return fields;
}

/// The names in the h= tag of a signature (RFC 6376 3.5).
void add_signed_names(std::string_view signature, std::set<std::string>& names) {
  std::string text;
  for (const char c : signature.substr(signature.find(':') + 1))
    if (!is_space(c) && c != '\r' && c != '\n') text += c;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view tag = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(tag.size() + 1, rest.size()));
    if (!tag.starts_with("h=")) continue;
    std::string_view list = tag.substr(2);
    while (!list.empty()) {
      const std::string_view name = list.substr(0, list.find(':'));
      names.insert(lower(name));
      list.remove_prefix(std::min(name.size() + 1, list.size()));
    }
  }
}

bool left_out(const std::string& name) {
  static constexpr std::array<std::string_view, 5> kNames = {"return-path", "bcc", "status",
                                                             "x-status", "x-keywords"};
  return std::ranges::find(kNames, name) != kNames.end() || name.starts_with("x-uid");
}

std::string added(const Trace& trace) {
  std::string text = "Received: from " + trace.from + " by " + trace.by +
                     "\r\n\twith postferry id " + trace.token + "." + trace.id + "\r\n\tfor <" +
                     trace.recipient + ">; " + mail_date(trace.now) + "\r\n";
  if (!trace.resent_from.empty()) {
    text += "Resent-Date: " + mail_date(trace.now) + "\r\nResent-From: <" + trace.resent_from +
            ">\r\nResent-To: <" + trace.recipient + ">\r\nResent-Message-ID: <" + trace.token +
            "." + trace.id + "@" + trace.by + ">\r\n";
  }
  return text;
}

}  // namespace

std::string loop_token(std::string_view recipient) {
  // FNV-1a: it names, it does not prove.
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : "postferry to " + lower(recipient))
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kHex[(hash >> shift) & 15];
  return text;
}

std::string mail_date(std::int64_t seconds) {
  using namespace std::chrono;
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds instant{std::chrono::seconds(seconds)};
  const sys_days day = floor<days>(instant);
  const year_month_day date(day);
  const hh_mm_ss time(instant - day);
  return std::string(kDays[weekday(day).c_encoding()]) + ", " +
         std::to_string(static_cast<unsigned>(date.day())) + " " +
         kMonths[static_cast<unsigned>(date.month()) - 1] + " " +
         padded(static_cast<int>(date.year()), 4) + " " + padded(time.hours().count(), 2) + ":" +
         padded(time.minutes().count(), 2) + ":" + padded(time.seconds().count(), 2) + " +0000";
}

RelayedHeader relayed_header(std::string_view start, const Trace& trace) {
  start = start.substr(0, kMaxHeaderBytes);
  RelayedHeader out;
  std::size_t from_line = 0;
  if (start.starts_with("From ") || start.starts_with(">From ")) {
    const std::size_t newline = start.find('\n');
    from_line = newline == std::string_view::npos ? start.size() : newline + 1;
  }
  std::size_t end = 0;
  const std::vector<Field> fields = fields_of(start.substr(from_line), end);
  out.replaced = from_line + end;
  std::set<std::string> covered;
  for (const Field& field : fields) {
    if (field.name == "dkim-signature" || field.name == "arc-message-signature")
      add_signed_names(field.whole, covered);
  }
  out.bytes = added(trace);
  const std::string token = "with postferry id " + trace.token + ".";
  for (const Field& field : fields) {
    if (field.name == "received") {
      ++out.received_count;
      out.looped = out.looped || field.whole.find(token) != std::string_view::npos;
    }
    if (!covered.contains(field.name)) {
      if (left_out(field.name)) continue;
      if (field.name == "delivered-to") out.bytes += "X-";
    }
    out.bytes += field.whole;
  }
  return out;
}

}  // namespace postferry::smtp
