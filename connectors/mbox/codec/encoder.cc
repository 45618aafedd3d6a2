#include "connectors/mbox/codec/encoder.h"

namespace postferry::mbox {

void FormFinder::feed(std::string_view piece) {
  for (std::size_t at = piece.find('\n'); at != std::string_view::npos && !bare_;
       at = piece.find('\n', at + 1)) {
    bare_ = (at > 0 ? piece[at - 1] : last_) != '\r';
  }
  if (!piece.empty()) last_ = piece.back();
}

void Encoder::feed(std::string_view piece, std::string& out) {
  if (piece.empty()) return;
  last_ = piece.back();
  if (form_ == Form::raw) {
    quoting_.convert(piece, out);
    return;
  }
  if (held_ && piece.front() != '\n') quoting_.convert("\r", out);
  held_ = piece.ends_with('\r');
  if (held_) piece.remove_suffix(1);
  while (!piece.empty()) {
    const std::size_t end = piece.find("\r\n");
    quoting_.convert(piece.substr(0, end), out);
    piece.remove_prefix(end == std::string_view::npos ? piece.size() : end + 1);
  }
}

void Encoder::finish(std::string& out) {
  if (held_) quoting_.convert("\r", out);
  quoting_.finish(out);
  if (last_ != '\n') out += '\n';
  out += '\n';
}

}  // namespace postferry::mbox
