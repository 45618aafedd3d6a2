// The heads of APPEND and MULTIAPPEND (RFC 3501 6.3.11, RFC 3502, RFC 3516): everything but the
// message bytes. It never decides about a message; what it had to leave out it reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/imap/codec/command.h"
#include "connectors/imap/codec/internal_date.h"

namespace postferry::imap {

/// What APPEND is told about one message; `size` is the exact number of bytes that will follow.
struct AppendMessage {
  std::vector<std::string> flags;
  std::optional<DateTime> date;
  std::uint64_t size = 0;
  bool binary = false;  // literal8, which alone may hold NUL; needs BINARY on the server
};

/// Pieces to send before the message bytes: the last ends with the literal header, and the message
/// follows at once or, if it `waits`, after the server's continuation.
struct AppendHead {
  std::vector<Piece> pieces;
  std::vector<std::string> refused_flags;  // cannot be written or must not be sent; not \Recent
  bool date_dropped = false;               // the date has no wire form
};

/// `A1 APPEND "folder" (\Seen) " 7-Nov-2016 10:11:12 +0100" {1234+}`: the first message.
AppendHead append_head(std::string_view tag, std::string_view raw_folder,
                       const AppendMessage& message, LiteralMode mode);

/// ` (\Seen) "..." {1234+}`: each further message of a MULTIAPPEND, right after the bytes before
/// it.
AppendHead append_next_head(const AppendMessage& message, LiteralMode mode);

/// Ends the command after the last message's bytes.
inline constexpr std::string_view kAppendEnd = "\r\n";

/// Flags sorted into those that may be sent and those that may not: \Answered, \Flagged, \Deleted,
/// \Seen, \Draft and keywords that are atoms (RFC 3501 9) pass; \Recent disappears; other
/// backslash flags, bad characters and the empty flag are refused. Repeats (without case) once.
struct CheckedFlags {
  std::vector<std::string> sendable;
  std::vector<std::string> refused;
};
CheckedFlags check_flags(const std::vector<std::string>& flags);

}  // namespace postferry::imap
