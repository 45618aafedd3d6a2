#include "connectors/net/limited.h"

#include <utility>

#include "connectors/net/wrapped_stream.h"
#include "engine/error.h"

namespace postferry::net {

class LimitedNetwork::LimitedStream final : public WrappedStream {
 public:
  LimitedStream(std::unique_ptr<Stream> stream, Host& host)
      : WrappedStream(std::move(stream)), host_(host) {}
  ~LimitedStream() override { leave(host_); }

 private:
  Host& host_;
};

LimitedNetwork::LimitedNetwork(Network& inner, Berths& berths, Berth own)
    : inner_(inner), berths_(berths), own_(std::move(own)) {
  for (const std::string& host : own_.hosts()) ++hosts_[host].own;
}

Task<std::unique_ptr<Stream>> LimitedNetwork::connect(ConnectOptions options) {
  Host& host = hosts_[options.host];
  if (host.open >= host.own + host.more.size()) {
    std::optional<Berth> berth = berths_.take({options.host});
    if (!berth) {
      throw Error(ErrorKind::throttled, "all " + std::to_string(berths_.at_each()) +
                                            " sessions that --limit-sessions allows with " +
                                            options.host + " are in use");
    }
    host.more.push_back(*std::move(berth));
  }
  ++host.open;
  std::unique_ptr<Stream> stream;
  try {
    stream = co_await inner_.connect(std::move(options));
  } catch (const Error&) {
    leave(host);
    throw;
  } catch (const Cancelled&) {
    leave(host);
    throw;
  }
  co_return std::make_unique<LimitedStream>(std::move(stream), host);
}

void LimitedNetwork::leave(Host& host) {
  --host.open;
  if (!host.more.empty()) host.more.pop_back();
}

}  // namespace postferry::net
