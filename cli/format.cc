#include "cli/format.h"

#include <fmt/core.h>

#include <algorithm>

namespace postferry::cli {
namespace {

struct CodePoint {
  char32_t value;
  std::size_t bytes;
};

/// The code point at `at`; a byte that begins none stands for itself.
CodePoint code_point(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  std::size_t length = 1;
  char32_t value = first;
  if (first >= 0xF0) {
    length = 4;
    value = first & 0x07u;
  } else if (first >= 0xE0) {
    length = 3;
    value = first & 0x0Fu;
  } else if (first >= 0xC0) {
    length = 2;
    value = first & 0x1Fu;
  }
  if (length > 1 && at + length > text.size()) return {first, 1};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {first, 1};
    value = (value << 6) | (byte(at + i) & 0x3Fu);
  }
  return {value, length};
}

/// As most terminals have it (Unicode TR11, the large blocks).
std::size_t columns_of(char32_t c) {
  if ((c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F)) {
    return 0;
  }
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                    (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                    (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  static constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  value /= 1000;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return value < 9.95 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                      : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string human_duration(std::chrono::seconds duration) {
  const auto total = std::max<std::int64_t>(0, duration.count());
  const auto hours = total / 3600, minutes = total / 60 % 60, seconds = total % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, seconds);
  return fmt::format("{}:{:02}", minutes, seconds);
}

std::string human_seconds(double seconds) {
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds < 0 ? 0.0 : seconds);
  return human_duration(std::chrono::seconds(static_cast<std::int64_t>(seconds + 0.5)));
}

std::size_t columns(std::string_view text) {
  std::size_t total = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point(text, at);
    total += columns_of(point.value);
    at += point.bytes;
  }
  return total;
}

std::string cut_to(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t used = 0, at = 0;
  while (at < text.size()) {
    const CodePoint point = code_point(text, at);
    if (used + columns_of(point.value) > width - 1) break;
    used += columns_of(point.value);
    at += point.bytes;
  }
  return std::string(text.substr(0, at)) + "\u2026";
}

std::string in_folder(const Error& error, const FolderName& folder) {
  constexpr std::string_view kBetween = ", ";
  const std::string part = printable("folder " + folder.to_string(), 4000);
  std::string rest = error.context();
  if (rest == part) return error.message();
  if (rest.starts_with(part + std::string(kBetween))) rest.erase(0, part.size() + kBetween.size());
  if (rest.ends_with(std::string(kBetween) + part))
    rest.erase(rest.size() - part.size() - kBetween.size());
  return rest + (rest.empty() ? "" : ": ") + error.message();
}

}  // namespace postferry::cli
