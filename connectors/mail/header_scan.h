// Reads the few header fields that identify and date a message, out of raw bytes as found in the
// wild. Knows the outer shape of RFC 5322 headers and nothing of servers, sockets or clocks.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::mail {

/// Bytes looked at from the start of a message; a header that is longer is read up to here.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;
/// Bytes kept of one unfolded field value.
inline constexpr std::size_t kMaxFieldBytes = std::size_t{64} << 10;
/// Received fields kept, from the top; further ones are only counted.
inline constexpr std::size_t kMaxReceived = 64;
/// Keywords kept out of one X-Keywords field, and bytes of each.
inline constexpr std::size_t kMaxKeywords = 256;
inline constexpr std::size_t kMaxKeywordBytes = 256;

/// What a scan found: the first occurrence of each field, unfolded (line ends before white space
/// removed), without white space at both ends, 8-bit bytes and NUL as they were sent.
struct HeaderScan {
  std::optional<std::string> message_id;
  std::optional<std::string> date;
  std::optional<std::string> from;
  std::optional<std::string> subject;
  std::optional<std::string> to;
  std::optional<std::string> status;
  std::optional<std::string> x_status;
  std::optional<std::string> x_keywords;
  std::vector<std::string> received;  // from the top, at most kMaxReceived
  std::size_t received_count = 0;     // all of them
  std::size_t size_bytes = 0;         // of the header, the blank line included
  bool complete = false;              // whether the blank line was seen
};

/// Scans the header at the start of `bytes`: a message, a part of one, or a HEADER.FIELDS block.
/// Never throws on any input. Accepts CRLF and bare LF, white space before the colon (RFC 5322
/// 4.5), a leading mbox `From ` line; a line with neither colon nor leading white space is passed
/// over. Without a blank line the header reaches to the end of `bytes` or kMaxHeaderBytes.
HeaderScan scan_header(std::string_view bytes);

/// The first field called `name` (any case) in the header at the start of `bytes`, unfolded and
/// trimmed as in HeaderScan; nullopt where there is none.
std::optional<std::string> find_field(std::string_view bytes, std::string_view name);

/// System flags as mbox-minded servers keep them in Status and X-Status.
struct StatusFlags {
  bool seen = false;
  bool answered = false;
  bool flagged = false;
  bool draft = false;
  bool deleted = false;

  friend bool operator==(const StatusFlags&, const StatusFlags&) = default;
};

/// Reads R (seen), A (answered), F (flagged), T (draft) and D (deleted) from both fields, wherever
/// they stand; O (old) and all other letters mean nothing to a target.
StatusFlags status_flags(const HeaderScan& header);

/// The words of X-Keywords that can be IMAP keywords, each once, in order; no more than
/// kMaxKeywords.
std::vector<std::string> keywords(const HeaderScan& header);

}  // namespace postferry::mail
