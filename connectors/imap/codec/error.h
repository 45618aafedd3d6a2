// What a codec throws when a server breaks the grammar or exceeds a limit.
// Carries where and what, so that a report can show the server's own bytes; knows nothing of
// connections, so the connector decides what becomes of the session.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postferry::imap {

/// A response that cannot be understood, or is larger than a limit. After one the stream is out of
/// step: the codec that threw must not be used again, the connection can only be dropped.
/// `offset` counts bytes from the start of the response (its inlined literals included);
/// `excerpt` is the text around it, printable ASCII only, at most 80 characters.
struct ProtocolError : std::runtime_error {
  ProtocolError(const std::string& problem, std::string_view response, std::size_t at);

  std::size_t offset;
  std::string excerpt;
};

/// At most 80 printable characters of `text` around `at`. Other bytes become `\r`, `\n`, `\t` or
/// `\xHH`, a backslash is doubled, and `...` marks a side that was cut.
std::string printable_excerpt(std::string_view text, std::size_t at = 0);

}  // namespace postferry::imap
