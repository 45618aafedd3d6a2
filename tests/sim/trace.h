// What happened in a schedule, as one number: two runs of a seed must give the same. Written out as
// text on request, for people.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace postferry::sim {

class Trace {
 public:
  void set_loud(bool loud) { loud_ = loud; }
  bool loud() const { return loud_; }

  void number(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3 + (hash_ >> 29); }
  void bytes(std::string_view text) {
    number(text.size());
    while (text.size() >= 8) {
      std::uint64_t word = 0;
      __builtin_memcpy(&word, text.data(), 8);
      number(word);
      text.remove_prefix(8);
    }
    for (const char c : text) number(static_cast<unsigned char>(c));
  }
  /// A line for people; it does not count.
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    if (loud_) fmt::print(stderr, "{}\n", fmt::format(format, std::forward<Args>(args)...));
  }

  std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
  bool loud_ = false;
};

}  // namespace postferry::sim
