// What a server says it can do, as asked for by name. A value; it knows no rules about when the
// list must be asked for again (that is login's).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/imap/codec/command.h"

namespace postferry::imap {

class Capabilities {
 public:
  Capabilities() = default;
  /// Names in any case; each is kept once, in upper case.
  explicit Capabilities(std::vector<std::string> names);

  /// `name` in upper case.
  bool has(std::string_view name) const;
  /// The number behind `name=`, as in APPENDLIMIT=35651584 (RFC 7889); nothing without one.
  std::optional<std::uint64_t> number(std::string_view name) const;
  /// What stands behind each `prefix`, as the mechanisms behind `AUTH=`.
  std::vector<std::string> behind(std::string_view prefix) const;
  /// RFC 7888.
  LiteralMode literals() const;
  bool empty() const { return names_.empty(); }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;  // sorted
};

}  // namespace postferry::imap
