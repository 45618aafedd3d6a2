// How much message data the program holds: bodies that its source has handed to the engine and of
// which the target has not answered yet. Watched at the ports; nothing passes in another way for
// it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "engine/source.h"
#include "engine/target.h"

namespace postferry::sim {

class Gauge {
 public:
  explicit Gauge(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

  void take(const void* belt, const Body& body);
  void give(const void* belt, const Body& body);
  /// Whatever it holds is dropped.
  void over(const void* belt) { belts_.erase(belt); }
  /// The most at a time above the limit, if ever. The first message of each transfer does not
  /// count: it is always let in.
  std::optional<std::uint64_t> excess() const { return excess_; }

 private:
  struct Belt {
    std::uint64_t bytes = 0, messages = 0;
  };
  const std::uint64_t limit_;
  std::map<const void*, Belt> belts_;  // by the object that is sink and feed of a transfer
  std::optional<std::uint64_t> excess_;
};

/// The same ends, watched. All must outlive the result.
std::unique_ptr<Source> watched(Source& inner, Gauge& gauge);
std::unique_ptr<Target> watched(Target& inner, Gauge& gauge);

}  // namespace postferry::sim
