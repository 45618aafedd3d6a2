// Names to streams.
#include "connectors/net/uv_network.h"

#include <fmt/format.h>

#include "connectors/net/tcp_stream.h"
#include "engine/async/timeout.h"
#include "engine/error.h"

namespace postferry::net {
namespace {

std::string peer_name(const ConnectOptions& options) {
  if (options.host.starts_with('/')) return options.host;
  bool ipv6 = options.host.contains(':');
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", options.host, ipv6 ? "]" : "", options.port);
}

}  // namespace

UvNetwork::UvNetwork(UvExecutor& executor, Resolver* resolver, std::chrono::milliseconds stagger)
    : executor_(executor),
      system_resolver_(executor),
      resolver_(resolver != nullptr ? *resolver : system_resolver_),
      stagger_(stagger) {}

std::shared_ptr<TlsContext> UvNetwork::context(const TlsContext::Key& key) {
  std::shared_ptr<TlsContext>& known = contexts_[key];
  if (!known) known = std::make_shared<TlsContext>(key);
  return known;
}

Task<std::unique_ptr<UvTcp>> UvNetwork::reach(std::string host, std::uint16_t port,
                                              std::chrono::milliseconds limit) {
  TimePoint end = executor_.now() + limit;
  std::vector<Address> addresses;
  try {
    addresses = co_await with_timeout(limit, resolver_.resolve(host, port));
  } catch (const TimedOut&) {
    throw Error(ErrorKind::unreachable, "looking up the name took too long");
  }
  auto left = std::chrono::ceil<std::chrono::milliseconds>(end - executor_.now());
  co_return co_await connect_any(executor_, std::move(addresses), stagger_,
                                 std::max(left, std::chrono::milliseconds(1)));
}

Task<std::unique_ptr<Stream>> UvNetwork::connect(ConnectOptions options) {
  std::string peer = peer_name(options);
  try {
    std::unique_ptr<UvTcp> tcp = co_await reach(options.host, options.port, options.connect_limit);
    tcp->set_limit(options.io_limit);
    auto stream = std::make_unique<TcpStream>(
        std::move(tcp), peer, [this](const TlsContext::Key& key) { return context(key); });
    if (options.tls) {
      TlsOptions tls = std::move(*options.tls);
      if (tls.host.empty()) tls.host = options.host;
      co_await with_timeout(options.connect_limit, stream->handshake(std::move(tls)));
    }
    co_return stream;
  } catch (const TimedOut&) {
    throw Error(ErrorKind::unreachable, "the TLS handshake took too long", peer);
  } catch (const Error& error) {
    Error named = error.context().empty() ? error.in(peer) : error;
    if (error.kind() != ErrorKind::transient) throw named;
    throw Error(ErrorKind::unreachable, named.message(), named.context());
  }
}

}  // namespace postferry::net
