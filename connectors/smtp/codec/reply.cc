#include "connectors/smtp/codec/reply.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace postferry::smtp {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  return out;
}

template <class Number>
std::optional<Number> whole_number(std::string_view word) {
  Number value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  while (words.size() < kMaxWords) {
    while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    if (line.empty()) break;
    const std::string_view word = line.substr(0, std::min(line.find_first_of(" \t"), line.size()));
    words.push_back(upper(word));
    line.remove_prefix(word.size());
  }
  return words;
}

/// RFC 2034 4: the code stands at the beginning of the text, a blank behind it.
std::optional<EnhancedCode> enhanced_code(std::string_view text) {
  text = text.substr(0, std::min(text.find(' '), text.size()));
  const std::size_t first = text.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto kind = whole_number<std::uint16_t>(text.substr(0, first));
  const auto subject = whole_number<std::uint16_t>(text.substr(first + 1, second - first - 1));
  const auto detail = whole_number<std::uint16_t>(text.substr(second + 1));
  if (!kind || !subject || !detail || (*kind != 2 && *kind != 4 && *kind != 5)) return std::nullopt;
  return EnhancedCode{*kind, *subject, *detail};
}

}  // namespace

bool Reply::says(int kind, int subject, int detail) const {
  return enhanced && enhanced->kind == kind && enhanced->subject == subject &&
         (detail < 0 || enhanced->detail == detail);
}

std::string Reply::words() const {
  std::string text = std::to_string(code);
  for (const std::string& line : lines) text += " " + line;
  return text;
}

std::optional<Reply> ReplyDecoder::next(std::string_view& input) {
  while (!input.empty()) {
    const std::size_t newline = input.find('\n');
    const std::size_t used = newline == std::string_view::npos ? input.size() : newline;
    if (line_.size() + used > kMaxLine + 1) {  // one more for the CR
      throw ProtocolError("a line is longer than " + std::to_string(kMaxLine) + " bytes",
                          line_.empty() ? input : line_);
    }
    line_ += input.substr(0, used);
    input.remove_prefix(newline == std::string_view::npos ? used : used + 1);
    if (newline == std::string_view::npos) return std::nullopt;
    if (line_.ends_with('\r')) line_.pop_back();
    const bool last = take(line_);
    line_.clear();
    if (last) return std::exchange(reply_, {});
  }
  return std::nullopt;
}

bool ReplyDecoder::take(std::string_view line) {
  const bool has_code = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) &&
                        is_digit(line[2]) && (line.size() == 3 || line[3] == ' ' || line[3] == '-');
  if (!has_code) throw ProtocolError("a reply code was expected", line);
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (!reply_.lines.empty() && code != reply_.code)
    throw ProtocolError("a reply changes its code from line to line", line);
  if (reply_.lines.size() == kMaxLines)
    throw ProtocolError("a reply has more than " + std::to_string(kMaxLines) + " lines", line);
  reply_.code = code;
  const std::string_view text = line.size() > 4 ? line.substr(4) : std::string_view();
  if (!reply_.enhanced) reply_.enhanced = enhanced_code(text);
  reply_.lines.emplace_back(text);
  return line.size() == 3 || line[3] == ' ';
}

Extensions parse_extensions(const Reply& ehlo) {
  Extensions out;
  for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
    std::vector<std::string> words = words_of(ehlo.lines[i]);
    if (words.empty()) continue;
    // Some old servers write AUTH=LOGIN.
    if (words[0].starts_with("AUTH=")) {
      words.insert(words.begin() + 1, words[0].substr(5));
      words[0] = "AUTH";
    }
    const std::string& name = words[0];
    out.starttls |= name == "STARTTLS";
    out.pipelining |= name == "PIPELINING";
    out.chunking |= name == "CHUNKING";
    out.binarymime |= name == "BINARYMIME";
    out.eightbitmime |= name == "8BITMIME";
    out.smtputf8 |= name == "SMTPUTF8";
    out.dsn |= name == "DSN";
    if (name == "SIZE") {
      out.size = true;
      // RFC 1870 4: 0 means that there is no fixed limit.
      const auto most = words.size() > 1 ? whole_number<std::uint64_t>(words[1]) : std::nullopt;
      if (most && *most > 0) out.most_bytes = most;
    } else if (name == "AUTH") {
      for (std::size_t w = 1; w < words.size(); ++w)
        if (std::find(out.auth.begin(), out.auth.end(), words[w]) == out.auth.end())
          out.auth.push_back(words[w]);
    } else if (name == "LIMITS") {
      for (const std::string& word : words) {
        constexpr std::string_view kMails = "MAILMAX=";
        if (!word.starts_with(kMails)) continue;
        const auto most = whole_number<std::uint64_t>(std::string_view(word).substr(kMails.size()));
        if (most && *most > 0) out.most_mails = most;
      }
    }
  }
  return out;
}

}  // namespace postferry::smtp
