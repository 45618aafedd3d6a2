// Understands what an SMTP or LMTP server says: replies of one or more lines, enhanced status
// codes, the extensions that EHLO lists. Bytes in, values out; every line and list is capped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::smtp {

/// Longest line of a reply without its end. RFC 5321 4.5.3.1.5 allows 512 octets; SASL challenges
/// (RFC 4954 4) take more.
inline constexpr std::size_t kMaxLine = 16 << 10;
/// Most lines of one reply.
inline constexpr std::size_t kMaxLines = 256;
/// Most words of one EHLO line.
inline constexpr std::size_t kMaxWords = 64;

/// The server does not speak SMTP: what was expected, and the first bytes of what stood there.
class ProtocolError : public std::runtime_error {
 public:
  ProtocolError(const std::string& what, std::string_view excerpt)
      : std::runtime_error(what), excerpt_(excerpt.substr(0, 80)) {}
  const std::string& excerpt() const { return excerpt_; }

 private:
  std::string excerpt_;
};

/// RFC 3463: class.subject.detail, as in 5.1.1.
struct EnhancedCode {
  int kind = 0, subject = 0, detail = 0;
  bool operator==(const EnhancedCode&) const = default;
};

struct Reply {
  int code = 0;                          // 200 to 599
  std::optional<EnhancedCode> enhanced;  // of the first line that has one
  std::vector<std::string> lines;        // what follows the code, enhanced codes included

  bool positive() const { return code / 100 == 2; }
  bool intermediate() const { return code / 100 == 3; }
  bool transient() const { return code / 100 == 4; }
  bool permanent() const { return code / 100 == 5; }
  /// Whether it has this enhanced code; a detail of -1 stands for any.
  bool says(int kind, int subject, int detail) const;
  /// Code and words in one line, as the server said them.
  std::string words() const;
};

/// Puts replies together out of bytes as they arrive (RFC 5321 4.2).
class ReplyDecoder {
 public:
  /// Takes bytes off the front of `input`, at most one reply with its end, and returns it once it
  /// is whole; nullopt: all was taken, more is needed. Throws ProtocolError for what is no reply,
  /// for lines whose codes differ, and beyond the caps.
  std::optional<Reply> next(std::string_view& input);
  /// Whether a part of a reply is held.
  bool in_reply() const { return !line_.empty() || !reply_.lines.empty(); }

 private:
  /// True at the reply's last line.
  bool take(std::string_view line);

  std::string line_;
  Reply reply_;
};

/// What EHLO or LHLO lists.
struct Extensions {
  bool starttls = false, pipelining = false, chunking = false, binarymime = false,
       eightbitmime = false, smtputf8 = false, dsn = false, size = false;
  std::optional<std::uint64_t> most_bytes;  // of SIZE; absent: the server does not say
  std::optional<std::uint64_t> most_mails;  // LIMITS MAILMAX (RFC 9422), of one connection
  std::vector<std::string> auth;            // mechanisms, upper case
};

/// Reads the lines after the first; unknown ones are passed over.
Extensions parse_extensions(const Reply& ehlo);

}  // namespace postferry::smtp
