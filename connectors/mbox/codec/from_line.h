// The line that begins each message of an mbox:
//
//   From ann@example.org Tue Nov 14 22:13:20 2023
//   From 1782471@xxx Tue Nov 14 22:13:20 +0000 2023          as Google Takeout has it
//   From postferry,S=1260 Wed Nov 15 03:43:20 2023 +0530     as we write it
//
// Ours has the zone, which the others may lack, and the message's size with CRLF line ends (S=), or
// the size of bytes that are kept as they were (R=), for mail that has a line end of its own kind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "connectors/mail/date.h"

namespace postferry::mbox {

/// How the bytes of a message are kept.
enum class Form {
  foreign,  // as another program wrote them: lines end in LF, or in CRLF
  lines,    // ours: each LF stands for CRLF
  raw,      // ours: just these bytes
};

struct FromLine {
  Form form = Form::foreign;
  std::uint64_t size_bytes = 0;         // of ours
  std::optional<mail::ZonedTime> date;  // as if in UTC where `zoned` is false
  bool zoned = false;
  std::uint64_t google_id = 0;  // X-GM-MSGID, in an export of Google's; else 0
};

/// Bytes of a line that are looked at.
inline constexpr std::size_t kMostFromLine = 512;
inline constexpr std::string_view kFrom = "From ";
inline constexpr std::string_view kOurFrom = "From postferry,";

/// Nothing where the line does not begin a message. `line` has no line end. With a date it does
/// wherever it stands; without one (`From -`) only where `after_blank` says that an empty line, or
/// nothing, is before it.
std::optional<FromLine> parse_from_line(std::string_view line, bool after_blank);

/// Ours, with its line end.
std::string format_from_line(Form form, std::uint64_t size_bytes, const mail::ZonedTime& date);

}  // namespace postferry::mbox
