// An address and port, in the system's form, and the order in which addresses are tried.
// Values only: opens nothing.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace postferry::net {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  /// "192.0.2.1", "2001:db8::1", without the port.
  std::string to_string() const;
};

/// Reads an IPv4 or IPv6 literal (with a zone, perhaps), without brackets, or the absolute path of a
/// Unix socket; nothing if it is a name.
std::optional<Address> parse_address(const std::string& text, std::uint16_t port);

/// RFC 8305 §4: the families take turns, the family of the first address begins; within a family
/// the order stays. Doubles are left out, and all after the first `limit`.
std::vector<Address> interleave_families(const std::vector<Address>& sorted, std::size_t limit);

}  // namespace postferry::net
