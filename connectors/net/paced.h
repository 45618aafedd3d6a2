// A network that keeps to paces: bytes a second in each direction, and new connections a second to
// each host. A decorator around any network, one for each account; the paces are all accounts'.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/net/stream.h"
#include "engine/async/semaphore.h"
#include "engine/pace.h"

namespace postferry::net {

struct PaceOptions {
  std::optional<std::uint64_t> bytes_per_second;       // in each direction
  std::optional<std::uint64_t> host_bytes_per_second;  // with each host, in each direction
  std::optional<double> connections_per_second;        // to each host
};

/// What all keep to together.
class Paces {
 public:
  explicit Paces(PaceOptions options);

  /// Those of bytes with this host, the slowest first.
  std::vector<Pace*> reading(const std::string& host);
  std::vector<Pace*> writing(const std::string& host);
  /// Of connections to it; null: no limit.
  Pace* connecting(const std::string& host);

 private:
  std::vector<Pace*> of_bytes(std::optional<Pace>& all, std::map<std::string, Pace>& hosts,
                              const std::string& host);

  PaceOptions options_;
  std::optional<Pace> read_, written_;
  std::map<std::string, Pace> read_by_host_, written_by_host_, connections_;
};

/// However many connections an account has, it asks for one turn at a time, so that each account
/// gets the same share. `inner`, `paces` and the network itself outlive the streams.
class PacedNetwork final : public Network {
 public:
  PacedNetwork(Network& inner, Paces& paces) : inner_(inner), paces_(paces) {}
  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override;

 private:
  Network& inner_;
  Paces& paces_;
  Semaphore reading_{1}, writing_{1};  // the account's turns
};

}  // namespace postferry::net
