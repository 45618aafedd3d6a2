#include "connectors/files/level_name.h"

#include <cstddef>

#include "connectors/mail/mod_utf7.h"
#include "engine/digest.h"

namespace postferry::files {
namespace {

/// File systems take 255 bytes; some encrypted ones far less, but no mail program minds those.
constexpr std::size_t kMostBytes = 240;
constexpr std::size_t kKeptBytes = 200;
constexpr char kHex[] = "0123456789abcdef";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string escape_level(const std::string& level, Escape escape) {
  // What is no UTF-8 is kept byte for byte; escapes will hold it.
  const std::string raw = mail::encode_mod_utf7(level).value_or(level);
  std::string out;
  for (const char c : raw) {
    bool plain = c >= 0x20 && c < 0x7f && c != '/' && c != '\\';
    if (c == '.') plain = !out.empty() && escape != Escape::dots;
    if (escape == Escape::first && out.empty()) plain = false;
    if (plain) {
      out += c;
    } else {
      out += '\\';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

std::string unescape_level(std::string_view name) {
  std::string raw;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const int high = i + 2 < name.size() ? hex_digit(name[i + 1]) : -1;
    const int low = i + 2 < name.size() ? hex_digit(name[i + 2]) : -1;
    if (name[i] == '\\' && high >= 0 && low >= 0) {
      raw += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      raw += name[i];
    }
  }
  return mail::decode_lenient(raw);
}

std::string shortened(std::string name) {
  if (name.size() <= kMostBytes) return name;
  const Sha256 digest = sha256(name);
  name.resize(kKeptBytes);
  name += "\\~";
  for (std::size_t i = 0; i < 8; ++i) {
    name += kHex[digest[i] >> 4];
    name += kHex[digest[i] & 15];
  }
  return name;
}

}  // namespace postferry::files
