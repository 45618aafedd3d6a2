#include "connectors/mail/encoded_words.h"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "connectors/mail/mod_utf7.h"

namespace postferry::mail {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::optional<std::string> decode_q(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i] == '_' ? ' ' : text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::optional<std::string> decode_b(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

std::string from_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

struct Word {
  std::string bytes;
  bool latin1 = false;
  std::size_t length = 0;  // in the text
};

/// `=?charset?Q?text?=` at the start of `text`.
std::optional<Word> word_at(std::string_view text) {
  if (!text.starts_with("=?")) return std::nullopt;
  const std::size_t charset_end = text.find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= text.size() ||
      text[charset_end + 2] != '?')
    return std::nullopt;
  const std::size_t begin = charset_end + 3;
  const std::size_t end = text.find("?=", begin);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view inner = text.substr(begin, end - begin);
  if (inner.find_first_of(kBlank) != std::string_view::npos) return std::nullopt;
  const char way = lower(text[charset_end + 1]);
  std::optional<std::string> bytes = way == 'q'   ? decode_q(inner)
                                     : way == 'b' ? decode_b(inner)
                                                  : std::nullopt;
  if (!bytes) return std::nullopt;
  // RFC 2231 5: a language may follow.
  std::string_view charset = text.substr(2, charset_end - 2);
  charset = charset.substr(0, charset.find('*'));
  const bool latin1 =
      equal_ignoring_case(charset, "iso-8859-1") || equal_ignoring_case(charset, "windows-1252");
  return Word{std::move(*bytes), latin1, end + 2};
}

}  // namespace

std::string decode_encoded_words(std::string_view text) {
  std::string out;
  std::string blank;  // after an encoded word; dropped if another follows
  bool after_word = false;
  while (!text.empty()) {
    if (std::optional<Word> word = word_at(text)) {
      blank.clear();
      // A character may be split between words: only all of it is looked at.
      out += word->latin1 ? from_latin1(word->bytes) : word->bytes;
      text.remove_prefix(word->length);
      after_word = true;
      continue;
    }
    const bool is_blank = kBlank.contains(text.front());
    if (after_word && is_blank) {
      blank += text.front();
    } else {
      out += blank;
      blank.clear();
      out += text.front();
      after_word = false;
    }
    text.remove_prefix(1);
  }
  out += blank;
  return is_utf8(out) ? out : from_latin1(out);
}

}  // namespace postferry::mail
