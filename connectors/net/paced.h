// A network that keeps to a pace: bytes a second in each direction, and new connections a second to
// each host. A decorator around any network, shared by all whose line it is.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "connectors/net/stream.h"
#include "engine/pace.h"

namespace postferry::net {

struct PaceOptions {
  std::optional<std::uint64_t> bytes_per_second;  // in each direction
  std::optional<double> connections_per_second;   // to each host
};

/// `inner` and the network itself outlive the streams.
class PacedNetwork final : public Network {
 public:
  PacedNetwork(Network& inner, PaceOptions options);
  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override;

 private:
  Network& inner_;
  PaceOptions options_;
  std::optional<Pace> read_, written_;
  std::map<std::string, Pace> connections_;  // by host
};

}  // namespace postferry::net
