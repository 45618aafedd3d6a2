// Writes commands: tags, strings in their safest form, and the places where the client must wait
// for the server's `+`. It sends nothing, and marks secrets so that no transcript shows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/imap/codec/sequence_set.h"

namespace postferry::imap {

/// How literals may be sent (RFC 7888). LITERAL- means without waiting up to 4096 octets.
enum class LiteralMode { kSynchronising, kLiteralMinus, kLiteralPlus };

/// Whether a literal of `size` bytes must wait for the server's go-ahead.
bool literal_waits(LiteralMode mode, std::uint64_t size);

/// `{12}`, `{12+}`, `~{12}` or `~{12+}`, and CRLF.
std::string literal_header(std::uint64_t size, bool waits, bool binary = false);

/// Tags `A1`, `A2`, ...: unique for one session.
class TagGenerator {
 public:
  explicit TagGenerator(char prefix = 'A') : prefix_(prefix) {}
  std::string next();

 private:
  char prefix_;
  std::uint64_t last_ = 0;
};

/// Bytes [begin, end) of a piece.
struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Bytes to send in one go. If `waits`, the next piece may be sent only after a continuation.
struct Piece {
  std::string bytes;
  bool waits = false;
  std::vector<ByteRange> secrets;
};

/// The bytes as a transcript may show them: each secret range replaced by `***`.
std::string redacted(const Piece& piece);

/// A whole command, its CRLF included. The last piece never waits.
struct Command {
  std::string tag;
  std::vector<Piece> pieces;
};

/// Builds one command, argument by argument; each argument puts a space before itself.
///   CommandBuilder("A1", "LOGIN", mode).secret(user).secret(password).finish()
class CommandBuilder {
 public:
  CommandBuilder(std::string tag, std::string_view name, LiteralMode mode);

  /// Text that is already in wire form. Throws std::invalid_argument if it holds CR, LF or NUL.
  CommandBuilder& raw(std::string_view text);
  /// Like raw(), redacted: an initial SASL response.
  CommandBuilder& raw_secret(std::string_view text);
  /// A string argument or raw wire folder name: quoted if it is 7-bit without CR, LF and at most
  /// 500 octets, otherwise a literal. NUL cannot be sent: std::invalid_argument.
  CommandBuilder& string(std::string_view value);
  /// Like string(), redacted.
  CommandBuilder& secret(std::string_view value);
  CommandBuilder& set(const SequenceSet& numbers) { return raw(numbers.to_string()); }
  /// `(\Seen $Forwarded)`: the flags as they are, so pass checked ones (see append.h).
  CommandBuilder& flags(std::span<const std::string> flags);

  /// The command with CRLF; the builder is empty afterwards.
  Command finish();
  /// The pieces so far without CRLF, for an APPEND whose message heads follow.
  Command unfinished();

 private:
  CommandBuilder& add(std::string_view value, bool is_secret);
  std::string& bytes() { return command_.pieces.back().bytes; }

  Command command_;
  LiteralMode mode_;
};

/// A quoted string with `"` and `\` escaped. The caller made sure it can be quoted.
std::string quoted(std::string_view text);
/// Whether string() would quote rather than send a literal.
bool can_be_quoted(std::string_view text);

}  // namespace postferry::imap
