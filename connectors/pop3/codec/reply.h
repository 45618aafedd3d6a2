// Understands what a POP3 server says: status lines, response codes, capabilities, listings. Bytes
// in, values out; every line, number and list is capped.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/pop3/codec/protocol_error.h"

namespace postferry::pop3 {

/// Longest line of a reply without its end. RFC 2449 4 allows 512 octets with it; SASL challenges
/// (RFC 5034 4) and talkative greetings take more.
inline constexpr std::size_t kMaxLine = 16 << 10;
/// Most lines of one listing: UIDL, LIST.
inline constexpr std::size_t kMaxListing = 5'000'000;
/// Most lines of CAPA, and most words of one of them.
inline constexpr std::size_t kMaxCapabilities = 256;
/// Longest UIDL taken as one (RFC 1939 7: 70 octets); a longer one counts as blank.
inline constexpr std::size_t kMaxUidl = 512;

/// Puts lines together out of bytes as they arrive.
class LineDecoder {
 public:
  /// Takes bytes off the front of `input`, at most one line with its end (CRLF or a bare LF), and
  /// returns the line without it once it is whole; valid until the next call and while the bytes
  /// behind `input` live. nullopt: all was taken, more is needed. Throws ProtocolError where a line
  /// grows beyond kMaxLine.
  std::optional<std::string_view> next(std::string_view& input);
  /// Whether a part of a line is held.
  bool in_line() const { return !partial_.empty() && !complete_; }

 private:
  std::string partial_;
  bool complete_ = false;  // partial_ was handed out
};

/// Reads the lines of a multi-line listing (CAPA, UIDL, LIST), dots unstuffed.
class ListingDecoder {
 public:
  explicit ListingDecoder(std::size_t most_lines = kMaxListing) : most_lines_(most_lines) {}
  /// As LineDecoder::next; nullopt also at the end, when done(). Throws ProtocolError where there
  /// are more lines than allowed.
  std::optional<std::string_view> next(std::string_view& input);
  bool done() const { return done_; }

 private:
  LineDecoder lines_;
  std::size_t most_lines_;
  std::size_t count_ = 0;
  bool done_ = false;
};

/// Response codes of RFC 2449 8 and RFC 3206.
enum class ResponseCode { none, in_use, login_delay, auth, sys_temp, sys_perm, other };

struct StatusLine {
  enum class Kind { ok, err, challenge };
  Kind kind = Kind::err;
  ResponseCode code = ResponseCode::none;
  std::optional<std::uint32_t> code_number;  // [LOGIN-DELAY 60], where a server says it so
  std::string text;  // what follows `+OK`, `-ERR` or `+`, the code included: the server's words

  bool ok() const { return kind == Kind::ok; }
};

/// Reads a status line or a SASL challenge. Throws ProtocolError for anything else.
StatusLine parse_status(std::string_view line);

/// Whether a refusal only means "not now": [IN-USE], [LOGIN-DELAY], [SYS/TEMP], or without a code
/// words about locks, waiting, a mailbox in use, or a limit of logins or bytes. [AUTH] and
/// [SYS/PERM] never do.
bool says_busy(const StatusLine& status);

/// How long a refusal asks us to stay away, by its code or its words: "60 seconds", "a 15 minute
/// period". Not more than kMaxDelay.
inline constexpr std::chrono::seconds kMaxDelay{3600};
std::optional<std::chrono::seconds> told_delay(const StatusLine& status);

/// What a server offers (RFC 2449 6), as far as a reader of mail needs it.
struct Capabilities {
  bool known = false;  // the server answered CAPA
  bool top = false;
  bool uidl = false;
  bool user = false;
  bool stls = false;
  bool pipelining = false;
  bool google = false;            // X-GOOGLE-RICO
  std::vector<std::string> sasl;  // upper case, in the server's order
  std::string implementation;
  std::vector<std::string> lines;  // as they came

  /// Takes one line of the CAPA reply; unknown ones are passed over.
  void add(std::string_view line);
};

/// What STAT says: `+OK messages bytes`; nullopt where it cannot be read.
struct Totals {
  std::uint64_t messages = 0;
  std::uint64_t size_bytes = 0;
};
std::optional<Totals> parse_stat(const StatusLine& status);

/// One line of LIST: `number size`. Words after these are allowed, white space before and between.
struct ListItem {
  std::uint32_t number = 0;
  std::uint64_t size_bytes = 0;
};
/// Throws ProtocolError where there is no number; a size that cannot be read counts as 0.
ListItem parse_list_item(std::string_view line);

/// One line of UIDL: `number uid`; the uid is the first word after the number, and empty where
/// there is none, or one that is too long or not printable ASCII.
struct UidlItem {
  std::uint32_t number = 0;
  std::string_view uid;
};
/// Throws ProtocolError where there is no number.
UidlItem parse_uidl_item(std::string_view line);

}  // namespace postferry::pop3
