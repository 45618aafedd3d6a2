// The real network: names, sockets, TLS, on one loop.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "connectors/net/stream.h"
#include "connectors/net/tls.h"
#include "connectors/net/uv_dns.h"
#include "connectors/net/uv_executor.h"

namespace postferry::net {

/// The executor, and the resolver if one is given, outlive it; it outlives its streams.
class UvNetwork final : public Network {
 public:
  explicit UvNetwork(UvExecutor& executor, Resolver* resolver = nullptr,
                     std::chrono::milliseconds stagger = kConnectionAttemptDelay);

  /// As promised by Network. connect_limit holds for look-up and connecting together, and once more
  /// for the TLS handshake. A server that hangs up inside the handshake is Error{unreachable}.
  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override;

 private:
  Task<std::unique_ptr<UvTcp>> reach(std::string host, std::uint16_t port,
                                     std::chrono::milliseconds limit);
  std::shared_ptr<TlsContext> context(const TlsContext::Key& key);

  UvExecutor& executor_;
  UvResolver system_resolver_;
  Resolver& resolver_;
  std::chrono::milliseconds stagger_;
  // Reading a certificate store costs milliseconds; sessions share it.
  std::map<TlsContext::Key, std::shared_ptr<TlsContext>> contexts_;
};

}  // namespace postferry::net
