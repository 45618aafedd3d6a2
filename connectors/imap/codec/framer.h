// Cuts the bytes from an IMAP server into responses, and streams large message bodies out of them.
// It finds line ends and literals only; what a response says is the parser's business. It owns no
// connection: the caller feeds received bytes and takes events until there are none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "connectors/imap/codec/error.h"
#include "connectors/imap/codec/limits.h"

namespace postferry::imap {

/// One response as it came, without its last line end. A literal that stayed inside is in its wire
/// form, `{5}` CRLF and five bytes. Of a streamed literal only the header is there; `streamed`
/// holds, ascending, the offsets in `text` at which its bytes have been taken out.
/// Views into the fed bytes or the framer: valid until the next call of next() or feed().
struct Frame {
  std::string_view text;
  std::span<const std::size_t> streamed;
};

/// Everything fed has been used: feed more.
struct NeedMore {};

/// The body literal of a FETCH begins. `head` is the response so far, up to and including the
/// literal's header line (see parse_fetch_head); `size` bytes follow in LiteralChunks.
struct LiteralBegin {
  Frame head;
  std::uint64_t size = 0;
};

/// Bytes of the literal that began last: never empty, a view into the fed bytes.
struct LiteralChunk {
  std::string_view bytes;
};

/// The literal is complete: exactly its announced size has been handed out. The rest of the
/// response follows as another LiteralBegin, or as the Frame that ends it.
struct LiteralEnd {};

using FrameEvent = std::variant<NeedMore, Frame, LiteralBegin, LiteralChunk, LiteralEnd>;

/// Incremental framing (RFC 3501 2.2.2, 4.3; RFC 7888; literal8 of RFC 3516).
///
/// Streamed are the literals of BODY[...], BINARY[...], RFC822, RFC822.HEADER and RFC822.TEXT in a
/// FETCH (or UIDFETCH) response that are larger than Limits::inline_body_bytes; every other literal
/// stays in its response and is capped. Literal bytes are never looked at or, when streamed,
/// copied. From a server `{n}`, `{n+}`, `~{n}` and `~{n+}` mean the same.
///
/// Tolerated: lines that end in a bare LF; any byte, NUL too, inside a literal and in text; a line
/// of human text (OK, NO, BAD, BYE, PREAUTH, tagged, `+`) that happens to end like a literal
/// header. Thrown as ProtocolError: a limit exceeded, a literal header without or with an
/// impossible number.
class Framer {
 public:
  explicit Framer(const Limits& limits = {});

  /// Hands over received bytes, which the caller keeps unchanged until next() returns NeedMore (or
  /// take_rest() or discard() was called). Throws std::logic_error if earlier bytes are still
  /// there.
  void feed(std::string_view received);

  /// The next event; NeedMore when the fed bytes are used up (an unfinished response is kept).
  FrameEvent next();

  /// True when no response is under way and no fed byte is waiting: a clean place for the server
  /// to close, or to begin TLS or compression.
  bool idle() const;

  /// Bytes of the streamed literal that are still to come; 0 when none is open.
  std::uint64_t literal_remaining() const { return open_ == Open::kStreamed ? remaining_ : 0; }

  /// Whether some bytes of a literal, streamed or not, are still to come.
  bool in_literal() const { return open_ != Open::kNone && remaining_ > 0; }

  /// Tells the framer that the caller has read `count` bytes of the open streamed literal from the
  /// connection straight into their destination. Only after NeedMore, and count must not exceed
  /// literal_remaining(); otherwise std::logic_error. next() then goes on behind them.
  void literal_bytes_read(std::uint64_t count);

  /// Fed bytes not yet used, taken away from the framer: after a tagged OK to COMPRESS they are
  /// already compressed. A view into the fed bytes.
  std::string_view take_rest();

  /// Forgets fed bytes and any response under way: after STARTTLS nothing from before may count.
  void discard();

 private:
  struct Literal {
    std::uint64_t size = 0;
    bool body = false;
  };

  FrameEvent next_of_literal();
  FrameEvent next_of_text();
  FrameEvent begin_streaming(std::uint64_t size);
  FrameEvent finish(std::size_t line_end_bytes);
  bool take_inlined();
  std::optional<Literal> literal_at_end(std::string_view text) const;
  void check_literal(const Literal& literal);
  void check_text_limit(std::size_t text_bytes) const;
  bool is_streamed(const Literal& literal) const;
  std::string_view collect();
  void keep_unfinished();
  void begin_response();
  [[noreturn]] void fail(const std::string& problem) const;

  Limits limits_;
  std::string_view fed_;        // not yet used; its first scanned_ bytes belong to this response
  std::size_t scanned_ = 0;     //
  std::string partial_;         // the part of this response that came before fed_
  std::size_t line_start_ = 0;  // in the response: behind its last literal
  std::vector<std::size_t> streamed_;
  std::size_t inlined_bytes_ = 0;
  std::size_t literals_ = 0;
  std::uint64_t remaining_ = 0;  // of the open literal
  enum class Open { kNone, kInlined, kStreamed } open_ = Open::kNone;
  bool finished_ = false;  // the last event was a Frame, whose views are still in use
};

}  // namespace postferry::imap
