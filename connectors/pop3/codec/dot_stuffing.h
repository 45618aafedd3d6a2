// Takes the dots out of a multi-line reply and finds its end (RFC 1939 3). Streams: holds back at
// most two bytes. Knows nothing of messages or connections.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postferry::pop3 {

/// Decodes one multi-line reply, from the byte after its status line to its last line.
///
/// What comes out is the message byte for byte, its line ends as they were sent. A line begins
/// after an LF, whether a CR stood before it: servers that send a bare LF stuff after it too. A dot
/// is taken away only before another dot, so that a server which forgot to stuff loses nothing.
/// The end is a line of one dot, ended by CRLF or by a bare LF.
///
/// A dot glued to the last line (`last words.` CRLF) is also how a sentence ends: it never ends a
/// reply here. ends_in_glued_dot() tells a caller who knows from elsewhere that nothing follows.
class DotDecoder {
 public:
  /// Decodes from the front of `input`, appends to `out`, and returns how many bytes of `input`
  /// were used: all of them, unless done() turns true.
  std::size_t feed(std::string_view input, std::string& out);

  bool done() const { return state_ == State::done; }
  /// Whether the end was as the RFC has it; after any other the caller should mistrust bytes that
  /// follow and are no reply. Only when done().
  bool strict_end() const { return strict_end_; }
  /// How many bytes have come out so far.
  std::uint64_t size_bytes() const { return size_bytes_; }
  /// Whether the last bytes that came out are a dot and CRLF with words before them on the line.
  bool ends_in_glued_dot() const;

 private:
  enum class State { line_start, text, dot, dot_cr, done };

  void emit(std::string_view bytes, std::string& out);
  std::size_t feed_dot(char next, std::string& out);

  State state_ = State::line_start;
  bool after_crlf_ = true;  // how the line before the present dot ended
  bool strict_end_ = false;
  std::uint64_t size_bytes_ = 0;
  std::string tail_;  // the last four bytes that came out
};

}  // namespace postferry::pop3
