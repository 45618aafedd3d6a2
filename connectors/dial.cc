#include "connectors/dial.h"

#include <utility>

#include "connectors/net/patience.h"
#include "engine/error.h"

namespace postferry {

net::TlsOptions tls_options(const Endpoint& endpoint) {
  net::TlsOptions tls;
  tls.host = endpoint.host;
  tls.ca_file = endpoint.ca_file;
  tls.pin_sha256 = endpoint.pin_sha256;
  tls.verify = endpoint.verify;
  return tls;
}

Task<std::unique_ptr<net::Stream>> dial(net::Network& network, const EndSetup& setup,
                                        const std::string& where) {
  const Endpoint& endpoint = setup.endpoint;
  net::ConnectOptions options;
  options.host = endpoint.host;
  options.port = endpoint.port;
  options.io_limit = setup.timeout;
  if (endpoint.tls == TlsMode::implicit) options.tls = tls_options(endpoint);
  std::unique_ptr<net::Stream> stream;
  try {
    stream = co_await network.connect(std::move(options));
  } catch (const Error& failure) {
    throw failure.in(where);
  }
  co_return std::make_unique<net::PatientStream>(std::move(stream), net::kPatience * setup.timeout);
}

}  // namespace postferry
