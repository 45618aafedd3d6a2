#include "engine/error.h"

#include "engine/utf8.h"

namespace postferry {

const char* to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::transient:
      return "transient";
    case ErrorKind::unreachable:
      return "unreachable";
    case ErrorKind::auth:
      return "auth";
    case ErrorKind::rejected:
      return "rejected";
    case ErrorKind::quota:
      return "quota";
    case ErrorKind::throttled:
      return "throttled";
    case ErrorKind::protocol:
      return "protocol";
    case ErrorKind::tls:
      return "tls";
    case ErrorKind::local:
      return "local";
    case ErrorKind::journal:
      return "journal";
    case ErrorKind::usage:
      return "usage";
  }
  return "unknown";
}

namespace {

constexpr std::size_t kLongestText = 4000;

/// What makes a terminal or a page show text in another order than it stands (U+202A to U+202E,
/// U+2066 to U+2069), or end its line (U+2028, U+2029).
bool turns_text(std::string_view sequence) {
  if (sequence.size() != 3 || sequence[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(sequence[1]);
  const auto third = static_cast<unsigned char>(sequence[2]);
  return (second == 0x80 && third >= 0xA8 && third <= 0xAE) ||
         (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

/// Whether `part` is one of a context's, which have ", " between them.
bool has_part(std::string_view context, std::string_view part) {
  for (std::size_t at = context.find(part); at != std::string_view::npos;
       at = context.find(part, at + 1)) {
    const std::string_view before = context.substr(0, at), after = context.substr(at + part.size());
    if ((before.empty() || before.ends_with(", ")) && (after.empty() || after.starts_with(", ")))
      return true;
  }
  return false;
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (out.size() >= limit) return out + "...";
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_length(text, i);
    // C1 controls are two bytes, C2 80 to C2 9F; a terminal obeys them too.
    const bool c1 = length == 2 && byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (length == 0 || byte < 0x20 || byte == 0x7F || c1 || turns_text(text.substr(i, length))) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
      ++i;
      continue;
    }
    out.append(text, i, length);
    i += length;
  }
  return out;
}

Error::Error(ErrorKind kind, std::string message, std::string context)
    : std::runtime_error(
          printable(context.empty() ? message : context + ": " + message, kLongestText)),
      kind_(kind),
      message_(printable(message, kLongestText)),
      context_(printable(context, kLongestText)) {}

Error Error::in(const std::string& outer) const {
  if (has_part(context_, printable(outer, kLongestText))) return *this;
  Error wider(kind_, message_, context_.empty() ? outer : outer + ", " + context_);
  wider.retry_after_ = retry_after_;
  return wider;
}

Error Error::after(std::chrono::milliseconds delay) const {
  Error later = *this;
  later.retry_after_ = delay;
  return later;
}

}  // namespace postferry
