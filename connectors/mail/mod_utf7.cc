// UTF-16 in a base64 of its own alphabet (`,` for `/`, no padding), between `&` and `-`.
#include "connectors/mail/mod_utf7.h"

#include <array>
#include <cstdint>

namespace postferry::mail {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

constexpr std::array<std::int8_t, 128> kValues = [] {
  std::array<std::int8_t, 128> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<std::size_t>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

bool is_printable(char32_t c) { return c >= 0x20 && c < 0x7f; }
bool is_high_surrogate(char32_t c) { return c >= 0xd800 && c < 0xdc00; }
bool is_low_surrogate(char32_t c) { return c >= 0xdc00 && c < 0xe000; }

void append_utf8(std::string& out, char32_t c) {
  const auto byte = [&out](char32_t value) { out += static_cast<char>(value); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | (c >> 6));
    byte(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    byte(0xe0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3f));
    byte(0x80 | (c & 0x3f));
  } else {
    byte(0xf0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3f));
    byte(0x80 | ((c >> 6) & 0x3f));
    byte(0x80 | (c & 0x3f));
  }
}

/// The character at `at`, which is moved behind it; nothing if it is not well-formed.
std::optional<char32_t> take_utf8(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  if (lead < 0xc2 || lead > 0xf4) return std::nullopt;
  const std::size_t following = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  char32_t c = lead & (0x3fu >> following);
  for (std::size_t i = 0; i < following; ++i) {
    if (at == text.size()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(text[at++]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    c = (c << 6) | (byte & 0x3f);
  }
  constexpr std::array<char32_t, 4> kSmallest = {0, 0x80, 0x800, 0x10000};
  if (c < kSmallest[following] || c > 0x10ffff) return std::nullopt;
  if (is_high_surrogate(c) || is_low_surrogate(c)) return std::nullopt;
  return c;
}

/// Turns the base64 between `&` and `-` into UTF-8. False if it is not whole UTF-16.
bool decode_run(std::string_view base64, std::string& out) {
  std::uint32_t bits = 0;
  unsigned count = 0;
  char32_t high = 0;
  for (const char c : base64) {
    if (static_cast<unsigned char>(c) >= kValues.size()) return false;
    const std::int8_t value = kValues[static_cast<std::size_t>(c)];
    if (value < 0) return false;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 16) continue;
    count -= 16;
    const char32_t unit = (bits >> count) & 0xffff;
    if (high != 0) {
      if (!is_low_surrogate(unit)) return false;
      append_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
      high = 0;
    } else if (is_high_surrogate(unit)) {
      high = unit;
    } else if (is_low_surrogate(unit)) {
      return false;
    } else {
      append_utf8(out, unit);
    }
  }
  // What is left over is padding: less than one character of base64. Its bits should be zero.
  return high == 0 && count < 6;
}

class RunEncoder {
 public:
  explicit RunEncoder(std::string& out) : out_(out) {}

  void unit(char32_t value) {
    if (!open_) out_ += '&';
    open_ = true;
    bits_ = (bits_ << 16) | static_cast<std::uint32_t>(value);
    count_ += 16;
    while (count_ >= 6) {
      count_ -= 6;
      out_ += kAlphabet[(bits_ >> count_) & 0x3f];
    }
  }

  void close() {
    if (!open_) return;
    if (count_ > 0) out_ += kAlphabet[(bits_ << (6 - count_)) & 0x3f];
    out_ += '-';
    bits_ = count_ = 0;
    open_ = false;
  }

 private:
  std::string& out_;
  std::uint32_t bits_ = 0;
  std::uint32_t count_ = 0;
  bool open_ = false;
};

}  // namespace

std::optional<DecodedName> decode_mod_utf7(std::string_view raw) {
  DecodedName name;
  for (std::size_t at = 0; at < raw.size();) {
    const char c = raw[at++];
    if (static_cast<unsigned char>(c) > 0x7f) return std::nullopt;
    if (c != '&') {
      name.utf8 += c;
      continue;
    }
    const std::size_t end = raw.find('-', at);
    if (end == raw.npos) return std::nullopt;
    if (end == at) {
      name.utf8 += '&';
    } else if (!decode_run(raw.substr(at, end - at), name.utf8)) {
      return std::nullopt;
    }
    at = end + 1;
  }
  name.exact = encode_mod_utf7(name.utf8) == raw;
  return name;
}

std::string decode_lenient(std::string_view raw) {
  if (auto decoded = decode_mod_utf7(raw)) return std::move(decoded->utf8);
  if (is_utf8(raw)) return std::string(raw);
  std::string text;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

std::optional<std::string> encode_mod_utf7(std::string_view utf8) {
  std::string out;
  RunEncoder run(out);
  for (std::size_t at = 0; at < utf8.size();) {
    const std::optional<char32_t> c = take_utf8(utf8, at);
    if (!c) return std::nullopt;
    if (is_printable(*c)) {
      run.close();
      out += static_cast<char>(*c);
      if (*c == U'&') out += '-';
    } else if (*c < 0x10000) {
      run.unit(*c);
    } else {
      run.unit(0xd800 + ((*c - 0x10000) >> 10));
      run.unit(0xdc00 + ((*c - 0x10000) & 0x3ff));
    }
  }
  run.close();
  return out;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (!take_utf8(text, at)) return false;
  }
  return true;
}

std::vector<std::string_view> split_levels(std::string_view raw, std::optional<char> delimiter) {
  std::vector<std::string_view> levels;
  if (delimiter) {
    for (std::size_t end; (end = raw.find(*delimiter)) != raw.npos; raw.remove_prefix(end + 1)) {
      levels.push_back(raw.substr(0, end));
    }
  }
  levels.push_back(raw);
  return levels;
}

}  // namespace postferry::mail
