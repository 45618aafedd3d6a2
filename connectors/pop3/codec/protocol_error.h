// How the codec says that a server does not speak POP3.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postferry::pop3 {

/// What was expected, where in the reply it was missed, and what stood there instead (the first
/// bytes, as they were sent).
class ProtocolError : public std::runtime_error {
 public:
  ProtocolError(const std::string& what, std::uint64_t offset, std::string_view excerpt)
      : std::runtime_error(what), offset_(offset), excerpt_(excerpt.substr(0, kMaxExcerpt)) {}

  std::uint64_t offset() const { return offset_; }
  const std::string& excerpt() const { return excerpt_; }

 private:
  static constexpr std::size_t kMaxExcerpt = 80;

  std::uint64_t offset_;
  std::string excerpt_;
};

}  // namespace postferry::pop3
