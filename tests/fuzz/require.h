// What a fuzz target asserts, in every build.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace postferry::fuzz {

inline void require(bool held) {
  if (!held) std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The first byte of the input, which chooses; 0 where there is none.
inline unsigned take_byte(std::string_view& bytes) {
  if (bytes.empty()) return 0;
  const auto first = static_cast<unsigned char>(bytes[0]);
  bytes.remove_prefix(1);
  return first;
}

}  // namespace postferry::fuzz
