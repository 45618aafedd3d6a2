// A message's bytes as DATA carries them (RFC 5321 4.5.2), and what they need of a server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/smtp/codec/command.h"

namespace postferry::smtp {

/// Longest line that every server takes, without its end (RFC 5321 4.5.3.1.6).
inline constexpr std::size_t kMaxTextLine = 998;

/// Doubles the dot at a line's beginning. A bare LF and a bare CR become CRLF: no server may be
/// left to guess where a line, or the message, ends (RFC 5321 2.3.8). Every other byte stays.
class DotWriter {
 public:
  /// Appends to `out` what `bytes`, the next part of the message, look like on the wire.
  void write(std::string_view bytes, std::string& out);
  /// The end of the last line, if it has none, and the dot.
  void end(std::string& out);

 private:
  void end_line(std::string& out);

  char last_ = '\n';  // before the first byte we are at a line's beginning
  bool line_begins_ = true;
};

/// Looks through a message for what decides how it can be sent.
class BodyScan {
 public:
  void update(std::string_view bytes);
  /// Binary: a NUL, or a line longer than kMaxTextLine.
  BodyKind kind() const {
    return binary_ ? BodyKind::binary : eightbit_ ? BodyKind::eightbit : BodyKind::sevenbit;
  }
  bool ends_in_line_end() const { return last_ == '\n'; }

 private:
  std::size_t line_ = 0;
  char last_ = '\n';
  bool eightbit_ = false, binary_ = false;
};

}  // namespace postferry::smtp
