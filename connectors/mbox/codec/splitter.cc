#include "connectors/mbox/codec/splitter.h"

#include <algorithm>
#include <utility>

namespace postferry::mbox {

void Splitter::feed(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t newline = piece.find('\n');
    const std::size_t end = newline == std::string_view::npos ? piece.size() : newline + 1;
    if (!at_start_) {  // within a line that begins nothing
      if (open_) events_.bytes(piece.substr(0, end));
      offset_ += end;
      piece.remove_prefix(end);
      at_start_ = newline != std::string_view::npos;
      after_blank_ = false;
      continue;
    }
    const std::size_t taken = std::min(end, kMostFromLine - line_.size());
    line_ += piece.substr(0, taken);
    piece.remove_prefix(taken);
    const std::string_view start = std::string_view(line_).substr(0, kFrom.size());
    const bool may_begin = kFrom.starts_with(start) || line_ == "\r";
    if (may_begin && !line_.ends_with('\n') && line_.size() < kMostFromLine) continue;
    line_begun();
  }
}

/// What is kept back is enough to tell what it is.
void Splitter::line_begun() {
  const std::string line = std::exchange(line_, {});
  const bool whole = line.ends_with('\n');
  std::string_view text = line;
  if (whole) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  const auto from = whole ? parse_from_line(text, after_blank_) : std::nullopt;
  if (from) {
    if (open_) events_.end(offset_);
    events_.begin(*from, offset_, offset_ + line.size());
    open_ = true;
  } else if (open_) {
    events_.bytes(line);
  } else {
    strayed_ = strayed_ || !text.empty();
  }
  offset_ += line.size();
  at_start_ = whole;
  after_blank_ = from || (whole && text.empty());
}

void Splitter::finish() {
  if (!line_.empty()) line_begun();
  if (open_) events_.end(offset_);
  open_ = false;
}

}  // namespace postferry::mbox
