// The list of capabilities, sorted for look-ups.
#include "connectors/imap/capabilities.h"

#include <algorithm>

#include "connectors/imap/codec/lexer.h"

namespace postferry::imap {

Capabilities::Capabilities(std::vector<std::string> names) : names_(std::move(names)) {
  for (std::string& name : names_) name = upper_ascii(name);
  std::ranges::sort(names_);
  const auto repeats = std::ranges::unique(names_);
  names_.erase(repeats.begin(), repeats.end());
}

bool Capabilities::has(std::string_view name) const {
  return std::ranges::binary_search(names_, name);
}

std::optional<std::uint64_t> Capabilities::number(std::string_view name) const {
  for (const std::string& value : behind(std::string(name) + "=")) {
    if (const auto number = to_number64(value)) return number;
  }
  return std::nullopt;
}

std::vector<std::string> Capabilities::behind(std::string_view prefix) const {
  std::vector<std::string> found;
  for (const std::string& name : names_) {
    if (name.starts_with(prefix)) found.push_back(name.substr(prefix.size()));
  }
  return found;
}

LiteralMode Capabilities::literals() const {
  if (has("LITERAL+")) return LiteralMode::kLiteralPlus;
  // RFC 9051 includes LITERAL-.
  if (has("LITERAL-") || has("IMAP4REV2")) return LiteralMode::kLiteralMinus;
  return LiteralMode::kSynchronising;
}

}  // namespace postferry::imap
