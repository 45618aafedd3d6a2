// A network that tells how many bytes go over its connections. A decorator around any network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "connectors/net/stream.h"

namespace postferry::net {

/// Called for every read and write, with what TLS does not add; may be empty.
struct Meters {
  std::function<void(std::uint64_t bytes)> down, up;
};

/// `inner` and the network itself outlive the streams.
class MeteredNetwork final : public Network {
 public:
  MeteredNetwork(Network& inner, Meters meters);
  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override;

 private:
  Network& inner_;
  Meters meters_;
};

}  // namespace postferry::net
