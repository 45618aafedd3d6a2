// The quoting of mboxrd: a line `From `, with any number of `>` before it, has one `>` more in the
// file, so that none of a message begins another. In pieces of any size.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postferry::mbox {

class Quoting {
 public:
  enum class Way { add, take };
  explicit Quoting(Way way) : way_(way) {}

  /// Appends to `out` what the piece becomes, as far as it is decided.
  void convert(std::string_view piece, std::string& out);
  /// The rest. No convert() after it.
  void finish(std::string& out) { give_up(out); }

 private:
  void give_up(std::string& out);

  Way way_;
  bool at_start_ = true;     // of a line, `>` passed over
  bool held_ = false;        // taking: one `>` is kept back
  std::size_t matched_ = 0;  // of `From `, kept back
};

}  // namespace postferry::mbox
