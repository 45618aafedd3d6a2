// A cursor over one framed response: atoms, strings, numbers, lists. Tolerant where servers are
// careless (unquoted names, 8-bit text, extra spaces), strict where a mistake would lose the place.
// It knows tokens, not responses.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "connectors/imap/codec/framer.h"
#include "connectors/imap/codec/limits.h"

namespace postferry::imap {

/// A value that is a string or NIL, in whatever form it came.
struct StringToken {
  enum class Form { kNil, kAtom, kQuoted, kLiteral, kStreamed };
  Form form = Form::kNil;
  /// Without quotes and escapes; empty for kNil and kStreamed. A view into the frame, or into the
  /// lexer until its next string.
  std::string_view bytes;
  std::uint64_t size = 0;  // of the bytes, also of streamed ones
};

/// Reads forward only and throws ProtocolError with the place; never reads past the frame.
class Lexer {
 public:
  Lexer(const Frame& frame, const Limits& limits) : frame_(frame), limits_(limits) {}

  bool at_end() const { return at_ == frame_.text.size(); }
  /// The next byte, or 0 at the end (a real NUL is no token either).
  char peek() const { return at_end() ? '\0' : frame_.text[at_]; }
  std::size_t offset() const { return at_; }
  std::string_view rest() const { return frame_.text.substr(at_); }

  /// Skips any number of spaces (servers double and omit them).
  void spaces() {
    while (at_ < frame_.text.size() && frame_.text[at_] == ' ') ++at_;
  }
  /// Takes `c` if it is next.
  bool accept(char c) {
    if (at_end() || frame_.text[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c);
  /// Takes the rest.
  std::string_view take_rest();

  /// Skips `count` bytes, at most the rest.
  void skip(std::size_t count) { at_ += std::min(count, rest().size()); }
  /// Whether a literal's header comes next.
  bool literal_ahead() const;

  /// A non-empty run up to a space, parenthesis, quote or control byte, else an error. Brackets and
  /// backslashes belong to it.
  std::string_view atom();
  /// Like atom(), but may be empty and ends before `[` too: the name of a FETCH item.
  std::string_view item_name();
  /// After `[`: the section up to its `]`, which is taken too. Strings inside do not end it.
  std::string_view section();
  /// The digits of an atom as a number; an error when there are none or they do not fit.
  std::uint32_t number32();
  std::uint64_t number64();
  /// The number of a value of any shape, which is skipped: nothing if it is no number.
  std::optional<std::uint64_t> tolerant_number();

  /// An nstring or astring: quoted, literal, NIL (any case) or an atom.
  StringToken string();

  /// Skips one value of any shape: an atom, a string, a list with all it holds.
  void skip_value();

  /// Calls `member()` before each member of the parenthesised list that comes next, which must take
  /// it. At most Limits::list_elements members.
  template <typename Member>
  void list(Member member) {
    expect('(');
    enter();
    std::size_t count = 0;
    for (spaces(); !accept(')'); spaces()) {
      if (++count > limits_.list_elements) fail("a list with too many members");
      member();
    }
    leave();
  }

  [[noreturn]] void fail(const std::string& problem) const;

 private:
  StringToken quoted();
  StringToken literal();
  void enter();
  void leave() { --depth_; }

  Frame frame_;
  Limits limits_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t next_streamed_ = 0;
  std::string scratch_;
};

/// ASCII without regard to case, whatever the locale.
bool same_ascii(std::string_view a, std::string_view b);
std::string upper_ascii(std::string_view text);
/// Decimal digits only, no sign; nothing if empty, other characters or above the type's range.
std::optional<std::uint32_t> to_number32(std::string_view digits);
std::optional<std::uint64_t> to_number64(std::string_view digits);

}  // namespace postferry::imap
