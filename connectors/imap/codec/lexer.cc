// Tokens of RFC 3501 9, as servers really write them.
#include "connectors/imap/codec/lexer.h"

#include <charconv>

namespace postferry::imap {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool ends_atom(char c) { return c == ' ' || c == '(' || c == ')' || c == '"' || is_control(c); }

char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

template <typename Number>
std::optional<Number> to_number(std::string_view digits) {
  Number value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

}  // namespace

bool same_ascii(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && to_upper(a[i]) != to_upper(b[i])) return false;
  }
  return true;
}

std::string upper_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_upper(c);
  return out;
}

std::optional<std::uint32_t> to_number32(std::string_view digits) {
  return to_number<std::uint32_t>(digits);
}

std::optional<std::uint64_t> to_number64(std::string_view digits) {
  return to_number<std::uint64_t>(digits);
}

void Lexer::expect(char c) {
  if (!accept(c)) fail(std::string("expected '") + c + "'");
}

std::string_view Lexer::take_rest() {
  const std::string_view taken = rest();
  at_ = frame_.text.size();
  return taken;
}

std::string_view Lexer::atom() {
  const std::size_t begin = at_;
  while (!at_end() && !ends_atom(frame_.text[at_])) ++at_;
  if (at_ == begin) fail("expected a word");
  return frame_.text.substr(begin, at_ - begin);
}

std::string_view Lexer::item_name() {
  const std::size_t begin = at_;
  while (!at_end() && !ends_atom(frame_.text[at_]) && frame_.text[at_] != '[') ++at_;
  return frame_.text.substr(begin, at_ - begin);
}

std::string_view Lexer::section() {
  const std::size_t begin = at_;
  while (peek() != ']') {
    if (at_end()) fail("a section without its end");
    if (peek() == '"') {
      quoted();
    } else if (literal_ahead()) {
      literal();
    } else {
      ++at_;
    }
  }
  return frame_.text.substr(begin, at_++ - begin);
}

std::uint32_t Lexer::number32() {
  const std::size_t begin = at_;
  while (is_digit(peek())) ++at_;
  const auto number = to_number32(frame_.text.substr(begin, at_ - begin));
  if (!number) fail("expected a number of 32 bits");
  return *number;
}

std::uint64_t Lexer::number64() {
  const std::size_t begin = at_;
  while (is_digit(peek())) ++at_;
  const auto number = to_number64(frame_.text.substr(begin, at_ - begin));
  if (!number) fail("expected a number of 64 bits");
  return *number;
}

std::optional<std::uint64_t> Lexer::tolerant_number() {
  if (peek() != '(') return to_number64(string().bytes);
  skip_value();
  return std::nullopt;
}

StringToken Lexer::string() {
  if (peek() == '"') return quoted();
  if (literal_ahead()) return literal();
  const std::string_view word = atom();
  if (same_ascii(word, "NIL")) return {};
  return {StringToken::Form::kAtom, word, word.size()};
}

/// A backslash before anything but `"` and `\` stands for itself: servers whose delimiter it is
/// forget to double it.
StringToken Lexer::quoted() {
  const std::size_t opening = at_;
  expect('"');
  const std::size_t begin = at_;
  bool escaped = false;
  for (; peek() != '"'; ++at_) {
    if (at_end()) {
      at_ = opening;
      fail("a quoted string without its end");
    }
    if (peek() != '\\') continue;
    if (at_ + 1 == frame_.text.size()) continue;
    const char following = frame_.text[at_ + 1];
    if (following != '"' && following != '\\') continue;
    escaped = true;
    ++at_;
  }
  std::string_view bytes = frame_.text.substr(begin, at_ - begin);
  ++at_;
  if (escaped) {
    scratch_.clear();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] == '\\' && (bytes[i + 1] == '"' || bytes[i + 1] == '\\')) ++i;
      scratch_ += bytes[i];
    }
    bytes = scratch_;
  }
  return {StringToken::Form::kQuoted, bytes, bytes.size()};
}

bool Lexer::literal_ahead() const {
  std::string_view text = rest();
  if (text.starts_with('~')) text.remove_prefix(1);
  if (!text.starts_with('{')) return false;
  text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return false;
  while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  return text.starts_with("}\r\n") || text.starts_with("}\n");
}

StringToken Lexer::literal() {
  accept('~');
  expect('{');
  const std::uint64_t size = number64();
  accept('+');
  expect('}');
  accept('\r');
  expect('\n');
  while (next_streamed_ < frame_.streamed.size() && frame_.streamed[next_streamed_] < at_) {
    ++next_streamed_;
  }
  if (next_streamed_ < frame_.streamed.size() && frame_.streamed[next_streamed_] == at_) {
    ++next_streamed_;
    return {StringToken::Form::kStreamed, {}, size};
  }
  if (size > frame_.text.size() - at_) fail("a literal that is not all there");
  const std::string_view bytes = frame_.text.substr(at_, static_cast<std::size_t>(size));
  at_ += bytes.size();
  return {StringToken::Form::kLiteral, bytes, size};
}

void Lexer::skip_value() {
  std::size_t open = 0;
  for (;;) {
    if (accept('(')) {
      enter();
      ++open;
    } else if (open > 0 && accept(')')) {
      leave();
      --open;
    } else {
      string();
    }
    if (open == 0) return;
    spaces();
  }
}

void Lexer::enter() {
  if (++depth_ > limits_.nesting) fail("lists nested too deep");
}

void Lexer::fail(const std::string& problem) const {
  throw ProtocolError(problem, frame_.text, at_);
}

}  // namespace postferry::imap
