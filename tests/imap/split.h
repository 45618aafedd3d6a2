// Feeds a server's bytes to the codec in every possible way of cutting them, since a network may.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "connectors/imap/codec/framer.h"
#include "connectors/imap/codec/response.h"

namespace postferry::imap::testing {

/// One response with all that was streamed out of it.
struct Collected {
  std::string text;
  std::vector<std::size_t> streamed;
  std::vector<std::string> heads;   // the text at each LiteralBegin
  std::vector<std::string> bodies;  // the bytes of each streamed literal

  Frame frame() const { return {text, streamed}; }
  friend bool operator==(const Collected&, const Collected&) = default;
};

/// Takes all events of what was fed; throws what the framer throws.
class Collector {
 public:
  explicit Collector(const Limits& limits = {}) : framer_(limits) {}

  void feed(std::string_view bytes) {
    framer_.feed(bytes);
    for (;;) {
      const FrameEvent event = framer_.next();
      if (std::holds_alternative<NeedMore>(event)) return;
      take(event);
    }
  }

  const std::vector<Collected>& responses() const { return responses_; }
  const Framer& framer() const { return framer_; }

 private:
  void take(const FrameEvent& event) {
    if (const auto* begin = std::get_if<LiteralBegin>(&event)) {
      under_way_.heads.emplace_back(begin->head.text);
      under_way_.bodies.emplace_back();
    } else if (const auto* chunk = std::get_if<LiteralChunk>(&event)) {
      under_way_.bodies.back().append(chunk->bytes);
    } else if (const auto* frame = std::get_if<Frame>(&event)) {
      under_way_.text = frame->text;
      under_way_.streamed.assign(frame->streamed.begin(), frame->streamed.end());
      responses_.push_back(std::move(under_way_));
      under_way_ = {};
    }
  }

  Framer framer_;
  Collected under_way_;
  std::vector<Collected> responses_;
};

/// The pieces live in buffers of their own, so that a view kept too long is found by a sanitizer.
inline std::vector<Collected> collect(std::string_view bytes, std::size_t piece,
                                      const Limits& limits = {}) {
  Collector collector(limits);
  while (!bytes.empty()) {
    const std::string own(bytes.substr(0, piece));
    bytes.remove_prefix(own.size());
    collector.feed(own);
  }
  return collector.responses();
}

/// The responses in `bytes`; requires (`same` is called with the verdict) that cutting after every
/// byte, and once at every place, gives the same.
template <typename Same>
std::vector<Collected> collect_split(std::string_view bytes, const Limits& limits, Same same) {
  const std::vector<Collected> whole =
      collect(bytes, std::max<std::size_t>(bytes.size(), 1), limits);
  same(collect(bytes, 1, limits) == whole);
  bool all_same = true;
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Collector collector(limits);
    const std::string left(bytes.substr(0, cut));
    collector.feed(left);
    const std::string right(bytes.substr(cut));
    collector.feed(right);
    all_same = all_same && collector.responses() == whole;
  }
  same(all_same);
  return whole;
}

}  // namespace postferry::imap::testing

/// For tests: REQUIREs that all ways of cutting agree.
#define COLLECT_SPLIT_LIMITED(bytes, limits) \
  postferry::imap::testing::collect_split((bytes), (limits), [](bool same) { REQUIRE(same); })
#define COLLECT_SPLIT(bytes) COLLECT_SPLIT_LIMITED((bytes), postferry::imap::Limits{})
