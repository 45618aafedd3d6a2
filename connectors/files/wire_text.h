// Text as programs keep it on disks, with lines that end in LF, made into mail as it is on the
// wire, where they end in CRLF. In pieces of any size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postferry::files {

class WireText {
 public:
  /// `piece` with a CR before each LF that has none. A CRLF stays as it is.
  std::string convert(std::string_view piece) {
    std::string out;
    out.reserve(piece.size() + piece.size() / 32);
    for (const char c : piece) {
      if (c == '\n' && last_ != '\r') out += '\r';
      out += last_ = c;
    }
    return out;
  }
  /// How many bytes convert() would add.
  std::uint64_t added(std::string_view piece) {
    std::uint64_t count = 0;
    for (std::size_t at = piece.find('\n'); at != std::string_view::npos;
         at = piece.find('\n', at + 1)) {
      if ((at > 0 ? piece[at - 1] : last_) != '\r') ++count;
    }
    if (!piece.empty()) last_ = piece.back();
    return count;
  }

 private:
  char last_ = '\0';
};

}  // namespace postferry::files
