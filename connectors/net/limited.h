// A network that has no more connections to a host than there are berths. A decorator around any
// network, one for each account.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/net/stream.h"
#include "engine/berths.h"

namespace postferry::net {

class LimitedNetwork final : public Network {
 public:
  /// `own` is what the account has for itself; what goes beyond takes further berths while they are
  /// to be had. `inner`, `berths` and the network itself outlive the streams.
  LimitedNetwork(Network& inner, Berths& berths, Berth own);
  /// Throws Error{throttled} when there is no berth.
  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override;

 private:
  class LimitedStream;
  struct Host {
    std::size_t own = 0, open = 0;  // connections
    std::vector<Berth> more;
  };
  static void leave(Host& host);

  Network& inner_;
  Berths& berths_;
  Berth own_;
  std::map<std::string, Host> hosts_;
};

}  // namespace postferry::net
