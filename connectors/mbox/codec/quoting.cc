#include "connectors/mbox/codec/quoting.h"

#include "connectors/mbox/codec/from_line.h"

namespace postferry::mbox {

/// It is no such line: what was kept back stands as it is.
void Quoting::give_up(std::string& out) {
  if (held_) out += '>';
  out += kFrom.substr(0, matched_);
  held_ = false;
  matched_ = 0;
  at_start_ = false;
}

void Quoting::convert(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    if (!at_start_) {
      const std::size_t end = piece.find('\n');
      const std::size_t taken = end == std::string_view::npos ? piece.size() : end + 1;
      out += piece.substr(0, taken);
      piece.remove_prefix(taken);
      at_start_ = end != std::string_view::npos;
      continue;
    }
    const char c = piece.front();
    if (c == kFrom[matched_]) {
      piece.remove_prefix(1);
      if (++matched_ < kFrom.size()) continue;
      if (way_ == Way::add) out += '>';
      out += kFrom;
      held_ = at_start_ = false;
      matched_ = 0;
    } else if (c == '>' && matched_ == 0) {
      piece.remove_prefix(1);
      if (way_ == Way::add || held_) out += '>';
      held_ = way_ == Way::take;
    } else {
      give_up(out);
    }
  }
}

}  // namespace postferry::mbox
