// Nearly all time goes into memchr and one append a chunk: a dot is rarer than a line end, and
// base64 has none.
#include "connectors/pop3/codec/dot_stuffing.h"

#include <algorithm>
#include <cstring>

namespace postferry::pop3 {

void DotDecoder::emit(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  out.append(bytes);
  size_bytes_ += bytes.size();
  constexpr std::size_t kTail = 4;
  if (bytes.size() >= kTail) {
    tail_ = bytes.substr(bytes.size() - kTail);
  } else {
    tail_ += bytes;
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
  }
}

bool DotDecoder::ends_in_glued_dot() const {
  return state_ == State::line_start && tail_.size() == 4 && tail_[0] != '\n' &&
         tail_.ends_with(".\r\n");
}

/// A dot at the start of a line is being held back; `next` decides what it was. Returns how many
/// bytes of the input that took: none, where `next` is text.
std::size_t DotDecoder::feed_dot(char next, std::string& out) {
  if (state_ == State::dot) {
    if (next == '\r') {
      state_ = State::dot_cr;
      return 1;
    }
    if (next == '\n') {
      state_ = State::done;
      return 1;
    }
    emit(".", out);
    state_ = State::text;
    return next == '.' ? 1 : 0;
  }
  if (next == '\n') {
    strict_end_ = after_crlf_;
    state_ = State::done;
    return 1;
  }
  emit(".\r", out);
  state_ = State::text;
  return 0;
}

std::size_t DotDecoder::feed(std::string_view input, std::string& out) {
  std::size_t position = 0;
  while (position < input.size() && state_ != State::done) {
    if (state_ == State::dot || state_ == State::dot_cr) {
      position += feed_dot(input[position], out);
      continue;
    }
    // Up to the next dot that begins a line, all is text.
    const std::size_t start = position;
    std::size_t dot = start;
    for (;; ++dot) {
      const void* found = std::memchr(input.data() + dot, '.', input.size() - dot);
      if (found == nullptr) {
        dot = input.size();
        break;
      }
      dot = static_cast<std::size_t>(static_cast<const char*>(found) - input.data());
      if (dot == start ? state_ == State::line_start : input[dot - 1] == '\n') break;
    }
    emit(input.substr(start, dot - start), out);
    if (dot > start) state_ = input[dot - 1] == '\n' ? State::line_start : State::text;
    position = dot;
    if (dot < input.size()) {
      after_crlf_ = size_bytes_ == 0 || tail_.ends_with("\r\n");
      state_ = State::dot;
      ++position;
    }
  }
  return position;
}

}  // namespace postferry::pop3
