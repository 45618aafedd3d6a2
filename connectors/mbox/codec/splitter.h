// Cuts the bytes of an mbox at the lines that begin messages. In pieces of any size; keeps back at
// most the beginning of one line.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "connectors/mbox/codec/from_line.h"

namespace postferry::mbox {

class Splitter {
 public:
  struct Events {
    /// A message begins; `offset` is that of its `From ` line, `content` that after it.
    std::function<void(const FromLine&, std::uint64_t offset, std::uint64_t content)> begin;
    /// Bytes of it, the line between it and the next one included.
    std::function<void(std::string_view)> bytes;
    /// It ends before `offset`.
    std::function<void(std::uint64_t offset)> end;
  };
  /// `start` is the offset of the first byte fed, which begins a line after an empty one.
  explicit Splitter(Events events, std::uint64_t start = 0)
      : events_(std::move(events)), offset_(start) {}

  void feed(std::string_view piece);
  void finish();
  /// Bytes before the first message: this is no mbox.
  bool strayed() const { return strayed_; }

 private:
  void line_begun();

  Events events_;
  std::uint64_t offset_ = 0;  // of what comes next
  std::string line_;          // the beginning of a line that may begin a message
  bool at_start_ = true;
  bool after_blank_ = true;
  bool open_ = false;
  bool strayed_ = false;
};

}  // namespace postferry::mbox
