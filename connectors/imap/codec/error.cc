// Excerpts: what a person needs to see of the server's bytes, and never more.
#include "connectors/imap/codec/error.h"

#include <algorithm>

namespace postferry::imap {
namespace {

constexpr std::size_t kExcerptChars = 80;
constexpr std::string_view kCut = "...";

std::string printable(char c) {
  switch (c) {
    case '\r':
      return "\\r";
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte < 0x7f) return std::string(1, c);
  constexpr std::string_view kHex = "0123456789abcdef";
  return {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
}

}  // namespace

std::string printable_excerpt(std::string_view text, std::size_t at) {
  // Half of the room shows what led up to the place, unless there is less of it.
  at = std::min(at, text.size());
  std::size_t begin = at > kExcerptChars / 2 ? at - kExcerptChars / 2 : 0;
  std::string out(begin > 0 ? kCut : "");
  for (; begin < text.size(); ++begin) {
    const std::string next = printable(text[begin]);
    const bool last = begin + 1 == text.size();
    if (out.size() + next.size() > kExcerptChars - (last ? 0 : kCut.size()))
      return out.append(kCut);
    out += next;
  }
  return out;
}

ProtocolError::ProtocolError(const std::string& problem, std::string_view response, std::size_t at)
    : std::runtime_error(problem + " at byte " + std::to_string(at) + ": " +
                         printable_excerpt(response, at)),
      offset(at),
      excerpt(printable_excerpt(response, at)) {}

}  // namespace postferry::imap
