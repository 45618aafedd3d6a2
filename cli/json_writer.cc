#include "cli/json_writer.h"

#include <fmt/core.h>

#include <cmath>

namespace postferry::cli {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Length of the UTF-8 sequence at the front of `text` (RFC 3629 section 4), 0 when it is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  unsigned char low = 0x80, high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

/// Of a sequence of that length.
std::uint32_t code_point(std::string_view text, std::size_t length) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(text[i]) & 0xFF; };
  if (length == 1) return byte(0);
  std::uint32_t point = byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) point = point << 6 | (byte(i) & 0x3F);
  return point;
}

/// Controls, C1 too; and what ends a line or shows text in another order than it stands.
bool commands(std::uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F) || (point >= 0x2028 && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069);
}

}  // namespace

void JsonWriter::begin_object(std::string_view key) {
  prepare(key);
  text_ += '{';
  has_members_.push_back(false);
}

void JsonWriter::end_object() {
  text_ += '}';
  has_members_.pop_back();
}

void JsonWriter::begin_array(std::string_view key) {
  prepare(key);
  text_ += '[';
  has_members_.push_back(false);
}

void JsonWriter::end_array() {
  text_ += ']';
  has_members_.pop_back();
}

void JsonWriter::string(std::string_view key, std::string_view value) {
  prepare(key);
  quote(value);
}

void JsonWriter::number(std::string_view key, std::uint64_t value) {
  prepare(key);
  text_ += std::to_string(value);
}

void JsonWriter::number(std::string_view key, std::int64_t value) {
  prepare(key);
  text_ += std::to_string(value);
}

void JsonWriter::number(std::string_view key, double value) {
  prepare(key);
  text_ += fmt::format("{:.3f}", std::isfinite(value) ? value : 0.0);
}

void JsonWriter::boolean(std::string_view key, bool value) {
  prepare(key);
  text_ += value ? "true" : "false";
}

void JsonWriter::null(std::string_view key) {
  prepare(key);
  text_ += "null";
}

void JsonWriter::prepare(std::string_view key) {
  if (!has_members_.empty()) {
    if (has_members_.back()) text_ += ',';
    has_members_.back() = true;
  }
  if (!key.empty()) {
    quote(key);
    text_ += ':';
  }
}

void JsonWriter::quote(std::string_view value) {
  text_ += '"';
  while (!value.empty()) {
    const std::size_t length = sequence_length(value);
    const std::uint32_t point = length == 0 ? 0 : code_point(value, length);
    if (length == 0) {
      text_ += kReplacement;
    } else if (point == '"' || point == '\\') {
      text_ += '\\';
      text_ += value[0];
    } else if (commands(point)) {
      text_ += fmt::format("\\u{:04x}", point);
    } else {
      text_.append(value.substr(0, length));
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  text_ += '"';
}

}  // namespace postferry::cli
