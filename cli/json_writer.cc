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
    const unsigned char c = static_cast<unsigned char>(value[0]);
    if (length == 0) {
      text_ += kReplacement;
    } else if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += value[0];
    } else if (c < 0x20 || c == 0x7F) {
      text_ += fmt::format("\\u{:04x}", c);
    } else {
      text_.append(value.substr(0, length));
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  text_ += '"';
}

}  // namespace postferry::cli
