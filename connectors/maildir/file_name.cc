#include "connectors/maildir/file_name.h"

#include <charconv>

namespace postferry::maildir {
namespace {

constexpr std::string_view kOurs = ".postferry";
constexpr std::size_t kDigestBytes = 12;

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// SECONDS.P<digest>Z<zone>.postferry
void read_own(std::string_view unique, FileName& out) {
  if (!unique.ends_with(kOurs)) return;
  unique.remove_suffix(kOurs.size());
  const std::size_t dot = unique.find('.');
  if (dot == std::string_view::npos) return;
  unique.remove_prefix(dot + 1);
  const std::size_t digits = kDigestBytes * 2;
  if (unique.size() < digits + 3 || unique[0] != 'P' || unique[digits + 1] != 'Z') return;
  const auto zone = number_in<std::int16_t>(unique.substr(digits + 2));
  if (!zone || !is_hex(unique.substr(1, digits))) return;
  out.ours = true;
  out.zone_minutes = *zone;
}

}  // namespace

FileName parse_file_name(std::string_view name) {
  FileName out;
  const std::size_t colon = name.find(':');
  out.base = name.substr(0, colon);
  if (colon != std::string_view::npos && name.substr(colon).starts_with(":2,")) {
    out.letters = name.substr(colon + 3);
    out.letters = out.letters.substr(0, out.letters.find(','));
  }
  std::string_view fields = out.base;
  std::size_t comma = fields.find(',');
  read_own(fields.substr(0, comma), out);
  while (comma != std::string_view::npos) {
    fields.remove_prefix(comma + 1);
    comma = fields.find(',');
    const std::string_view field = fields.substr(0, comma);
    if (field.starts_with("S=")) out.size_bytes = number_in<std::uint64_t>(field.substr(2));
    if (field.starts_with("W=")) out.wire_bytes = number_in<std::uint64_t>(field.substr(2));
  }
  return out;
}

std::string own_base(const std::optional<InternalDate>& date, const Sha256& digest) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = std::to_string(date ? date->seconds : 0) + ".P";
  for (std::size_t i = 0; i < kDigestBytes; ++i) {
    out += kHex[digest[i] >> 4];
    out += kHex[digest[i] & 15];
  }
  out += "Z" + std::to_string(date ? date->zone_minutes : 0);
  return out += kOurs;
}

std::string with_sizes(std::string base, std::uint64_t size_bytes, std::uint64_t wire_bytes) {
  return base + ",S=" + std::to_string(size_bytes) + ",W=" + std::to_string(wire_bytes);
}

bool delivered_before(std::string_view base, std::string_view other) {
  const auto a = number_in<std::int64_t>(base).value_or(0);
  const auto b = number_in<std::int64_t>(other).value_or(0);
  return a != b ? a < b : base < other;
}

}  // namespace postferry::maildir
