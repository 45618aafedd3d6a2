// What may be changed in a message that a server refuses, step by step, so that it takes it: only
// on request, and never more than it takes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace postferry {

/// In the order in which they are tried. The numbers are bits in the journal.
enum class RepairStep : std::uint32_t {
  line_ends = 1,       // a bare LF becomes CRLF
  nuls = 2,            // NULs are left out
  final_line_end = 4,  // the last line ends
  from_lines = 8,      // mbox "From " lines in the header are left out
  header_end = 16,     // an empty line before the first line that is no header field
  bare_returns = 32,   // a bare CR becomes CRLF
  header_words = 128,  // 8-bit words in the header are encoded (RFC 2047, RFC 2231)
  long_lines = 64,     // lines above 998 bytes are parted (RFC 5322 section 2.1.1)
  date = 256,          // INTERNALDATE is left to the target: the message is of today there
  flags = 512,         // it is sent without flags, and gets none later
};
const char* to_string(RepairStep step);
/// "bare LFs became CRLFs".
const char* in_words(RepairStep step);

/// A set of steps.
struct Repairs {
  std::uint32_t bits = 0;
  bool has(RepairStep step) const { return (bits & static_cast<std::uint32_t>(step)) != 0; }
  Repairs with(RepairStep step) const { return {bits | static_cast<std::uint32_t>(step)}; }
  explicit operator bool() const { return bits != 0; }
  bool operator==(const Repairs&) const = default;
};
std::vector<RepairStep> steps_of(Repairs repairs);
/// The steps' words, joined by commas.
std::string in_words(Repairs repairs);

/// Its bytes as they are sent after these steps; the same always give the same.
std::string repaired(std::string message, Repairs repairs);

/// The next step that would change anything in what `done` made of the message's bytes, which have
/// this date and these flags; none: nothing more can be done.
std::optional<RepairStep> next_repair(std::string_view message,
                                      const std::optional<InternalDate>& date, const Flags& flags,
                                      Repairs done);

}  // namespace postferry
