#include "connectors/pop3/codec/reply.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace postferry::pop3 {
namespace {

constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }
constexpr char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = upper(c);
  return out;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix,
                            [](char a, char b) { return upper(a) == upper(b); });
}

std::string_view without_leading_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

/// The first word, which is taken off `text`; empty at the end.
std::string_view take_word(std::string_view& text) {
  text = without_leading_space(text);
  const std::string_view word = text.substr(0, std::min(text.find_first_of(" \t"), text.size()));
  text.remove_prefix(word.size());
  return word;
}

template <class Number>
std::optional<Number> whole_number(std::string_view word) {
  Number value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::uint32_t take_message_number(std::string_view& text, std::string_view line) {
  const auto number = whole_number<std::uint32_t>(take_word(text));
  if (!number || *number == 0) throw ProtocolError("a message number was expected", 0, line);
  return *number;
}

/// `[CODE]` or `[CODE number]` at the start of a status line's text (RFC 2449 8).
void read_code(StatusLine& status) {
  if (!status.text.starts_with('[')) return;
  const std::size_t end = status.text.find(']');
  if (end == std::string::npos) return;
  std::string_view inside = std::string_view(status.text).substr(1, end - 1);
  const std::string word = upper(take_word(inside));
  constexpr std::array<std::pair<std::string_view, ResponseCode>, 5> kCodes = {{
      {"IN-USE", ResponseCode::in_use},
      {"LOGIN-DELAY", ResponseCode::login_delay},
      {"AUTH", ResponseCode::auth},
      {"SYS/TEMP", ResponseCode::sys_temp},
      {"SYS/PERM", ResponseCode::sys_perm},
  }};
  const auto* known = std::ranges::find(kCodes, word, [](const auto& code) { return code.first; });
  status.code = known == kCodes.end() ? ResponseCode::other : known->second;
  status.code_number = whole_number<std::uint32_t>(take_word(inside));
}

}  // namespace

std::optional<std::string_view> LineDecoder::next(std::string_view& input) {
  if (std::exchange(complete_, false)) partial_.clear();
  const std::size_t newline = input.find('\n');
  const std::size_t used = newline == std::string_view::npos ? input.size() : newline;
  if (partial_.size() + used > kMaxLine + 1) {  // one more for the CR
    throw ProtocolError("a line is longer than " + std::to_string(kMaxLine) + " bytes",
                        partial_.size() + used, partial_.empty() ? input : partial_);
  }
  std::string_view line = input.substr(0, used);
  input.remove_prefix(newline == std::string_view::npos ? used : used + 1);
  if (newline == std::string_view::npos) {
    partial_ += line;
    return std::nullopt;
  }
  if (!partial_.empty()) {
    partial_ += line;
    line = partial_;
    complete_ = true;
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::optional<std::string_view> ListingDecoder::next(std::string_view& input) {
  if (done_) return std::nullopt;
  auto line = lines_.next(input);
  if (!line) return std::nullopt;
  if (*line == ".") {
    done_ = true;
    return std::nullopt;
  }
  if (++count_ > most_lines_) {
    throw ProtocolError("a listing has more than " + std::to_string(most_lines_) + " lines", count_,
                        *line);
  }
  if (line->starts_with("..")) line->remove_prefix(1);
  return line;
}

StatusLine parse_status(std::string_view line) {
  constexpr std::string_view kOk = "+OK";
  constexpr std::string_view kErr = "-ERR";
  StatusLine status;
  std::string_view rest;
  if (starts_with_ignoring_case(line, kOk) && (line.size() == 3 || is_space(line[3]))) {
    status.kind = StatusLine::Kind::ok;
    rest = line.substr(kOk.size());
  } else if (starts_with_ignoring_case(line, kErr)) {
    status.kind = StatusLine::Kind::err;
    rest = line.substr(kErr.size());
  } else if (line == "+" || line.starts_with("+ ")) {
    status.kind = StatusLine::Kind::challenge;
    rest = line.substr(1);
  } else {
    throw ProtocolError("+OK or -ERR was expected", 0, line);
  }
  status.text = without_leading_space(rest);
  if (status.kind != StatusLine::Kind::challenge) read_code(status);
  return status;
}

bool says_busy(const StatusLine& status) {
  switch (status.code) {
    case ResponseCode::in_use:
    case ResponseCode::login_delay:
    case ResponseCode::sys_temp:
      return true;
    case ResponseCode::auth:
    case ResponseCode::sys_perm:
      return false;
    case ResponseCode::none:
    case ResponseCode::other:
      break;
  }
  const std::string text = upper(status.text);
  // Words that begin so; BLOCKED is no lock.
  for (const std::string_view word :
       {"LOCK", "WAIT", "BUSY", "IN USE", "TEMPORAR", "TRY AGAIN LATER", "TOO FREQUENT",
        "TOO OFTEN", "TOO MANY CONNECTIONS", "TOO MANY SESSIONS", "TOO MANY LOGINS", "RATE LIMIT",
        "LOGIN LIMIT", "BANDWIDTH LIMIT", "OVERQUOTA"}) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      const bool begins_word = at == 0 || text[at - 1] < 'A' || text[at - 1] > 'Z';
      if (begins_word) return true;
    }
  }
  return false;
}

std::optional<std::chrono::seconds> told_delay(const StatusLine& status) {
  if (status.code == ResponseCode::login_delay && status.code_number)
    return std::chrono::seconds(*status.code_number);
  const std::string text = upper(status.text);
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view word = take_word(rest);
    const std::size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
    const auto number = whole_number<std::uint32_t>(word.substr(0, digits));
    if (!number) continue;
    std::string_view after = rest;
    std::string_view unit = digits < word.size() ? word.substr(digits) : take_word(after);
    if (unit.starts_with('-')) unit.remove_prefix(1);
    std::chrono::seconds delay{*number};
    if (unit.starts_with("MIN")) delay *= 60;
    if (unit.starts_with("MIN") || unit.starts_with("SEC")) return std::min(delay, kMaxDelay);
  }
  return std::nullopt;
}

void Capabilities::add(std::string_view line) {
  const std::string_view whole = without_leading_space(line);
  const std::string name = upper(take_word(line));
  known = true;
  if (lines.size() < kMaxCapabilities) lines.emplace_back(whole);
  top |= name == "TOP";
  uidl |= name == "UIDL";
  user |= name == "USER";
  stls |= name == "STLS";
  pipelining |= name == "PIPELINING";
  google |= name == "X-GOOGLE-RICO";
  if (name == "SASL") {
    while (sasl.size() < kMaxCapabilities) {
      const std::string_view word = take_word(line);
      if (word.empty()) break;
      sasl.push_back(upper(word));
    }
  } else if (name == "IMPLEMENTATION") {
    implementation = without_leading_space(whole.substr(name.size()));
  }
}

std::optional<Totals> parse_stat(const StatusLine& status) {
  std::string_view rest = status.text;
  const auto messages = whole_number<std::uint64_t>(take_word(rest));
  const auto size_bytes = whole_number<std::uint64_t>(take_word(rest));
  if (!messages || !size_bytes) return std::nullopt;
  return Totals{*messages, *size_bytes};
}

ListItem parse_list_item(std::string_view line) {
  std::string_view rest = line;
  ListItem item;
  item.number = take_message_number(rest, line);
  item.size_bytes = whole_number<std::uint64_t>(take_word(rest)).value_or(0);
  return item;
}

UidlItem parse_uidl_item(std::string_view line) {
  std::string_view rest = line;
  UidlItem item;
  item.number = take_message_number(rest, line);
  const std::string_view word = take_word(rest);
  // RFC 1939 7: printable ASCII; anything else could not be trusted to come back the same.
  const bool printable = std::ranges::all_of(word, [](char c) { return c > ' ' && c < '\x7f'; });
  if (printable && word.size() <= kMaxUidl) item.uid = word;
  return item;
}

}  // namespace postferry::pop3
