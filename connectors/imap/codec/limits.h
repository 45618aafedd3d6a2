// How much of a server's output the codec is willing to hold: nothing read from the network is
// unbounded. Plain numbers, so that a session can lower them for a small machine or a test.
#pragma once

#include <cstddef>
#include <cstdint>

namespace postferry::imap {

/// Exceeding any of these throws ProtocolError. The defaults are far above what real servers send.
struct Limits {
  /// Text of one response outside literals, its continuation lines together.
  std::size_t line_bytes = std::size_t{1} << 20;
  /// The same for responses that are a list of numbers (SEARCH, SORT, ESEARCH, VANISHED): a server
  /// without ESEARCH answers for two million messages in one line of 16 MiB.
  std::size_t number_line_bytes = std::size_t{16} << 20;
  /// A body section literal of a FETCH up to this size stays in the response; a larger one is
  /// streamed as events. 0 streams every one (but an empty one), 1 MiB none that is held whole.
  std::size_t inline_body_bytes = std::size_t{64} << 10;
  /// One literal that is never streamed (a folder name, an envelope field).
  std::size_t inline_literal_bytes = std::size_t{1} << 20;
  /// All literals of one response that are not streamed, together.
  std::size_t inline_total_bytes = std::size_t{8} << 20;
  /// One streamed literal. Messages of 1.5 GiB exist.
  std::uint64_t streamed_literal_bytes = std::uint64_t{16} << 30;
  /// Literals in one response, streamed or not.
  std::size_t literals = 1000;
  /// Parentheses inside parentheses.
  std::size_t nesting = 64;
  /// Members of one list that is kept (flags, attributes, capabilities, roots; not numbers).
  std::size_t list_elements = 10'000;
  /// Ranges of one set kept from a response (ESEARCH, VANISHED, COPYUID).
  std::size_t set_ranges = 2'000'000;
};

}  // namespace postferry::imap
