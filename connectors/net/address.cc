// Addresses as text, and their order.
#include "connectors/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

namespace postferry::net {
namespace {

bool same(const Address& a, const Address& b) {
  return a.length == b.length && std::memcmp(&a.storage, &b.storage, a.length) == 0;
}

}  // namespace

std::string Address::to_string() const {
  if (family() == AF_UNIX) return reinterpret_cast<const sockaddr_un*>(&storage)->sun_path;
  char host[NI_MAXHOST];
  int result = ::getnameinfo(get(), length, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return result == 0 ? std::string(host) : std::string("an address that cannot be shown");
}

std::optional<Address> parse_address(const std::string& text, std::uint16_t port) {
  Address out;
  if (sockaddr_un local{}; text.starts_with('/') && text.size() < sizeof local.sun_path) {
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, text.data(), text.size());
    std::memcpy(&out.storage, &local, sizeof local);
    out.length = sizeof local;
    return out;
  }
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.length = sizeof v4;
    return out;
  }
  sockaddr_in6 v6{};
  std::size_t percent = text.find('%');
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6.sin6_addr) != 1) {
    return std::nullopt;
  }
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (percent != std::string::npos) {
    v6.sin6_scope_id = ::if_nametoindex(text.c_str() + percent + 1);
    if (v6.sin6_scope_id == 0) return std::nullopt;
  }
  std::memcpy(&out.storage, &v6, sizeof v6);
  out.length = sizeof v6;
  return out;
}

std::vector<Address> interleave_families(const std::vector<Address>& sorted, std::size_t limit) {
  std::vector<Address> first;
  std::vector<Address> second;
  for (const Address& address : sorted) {
    auto& side = address.family() == sorted.front().family() ? first : second;
    bool known = std::any_of(side.begin(), side.end(),
                             [&](const Address& other) { return same(address, other); });
    if (!known) side.push_back(address);
  }
  std::vector<Address> out;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size() && out.size() < limit) out.push_back(first[i]);
    if (i < second.size() && out.size() < limit) out.push_back(second[i]);
  }
  return out;
}

}  // namespace postferry::net
