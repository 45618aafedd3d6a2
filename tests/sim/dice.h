// All chance of a schedule comes from here: the same seed throws the same numbers everywhere.
#pragma once

#include <chrono>
#include <cstdint>

namespace postferry::sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  /// SplitMix64.
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 to n - 1.
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::chrono::microseconds us_below(std::uint64_t n) {
    return std::chrono::microseconds(below(n));
  }
  std::chrono::milliseconds ms_below(std::uint64_t n) {
    return std::chrono::milliseconds(below(n));
  }
  /// Others, thrown without any trace in these: what is added to a schedule later takes its chance
  /// from there, and the seeds of before keep their meaning.
  Dice fork() const { return Dice(state_ ^ 0x5851f42d4c957f2d); }

 private:
  std::uint64_t state_;
};

}  // namespace postferry::sim
