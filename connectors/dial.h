// Opens the line to an endpoint's server: what all protocols of the network have in common before
// the first word is said. Must not know any of them.
#pragma once

#include <memory>
#include <string>

#include "connectors/registry.h"

namespace postferry {

/// The TLS that `endpoint` asks for, with its host's certificate.
net::TlsOptions tls_options(const Endpoint& endpoint);

/// A connection to the endpoint's server, in TLS from the first byte where the URL says so, that
/// gives up when the other end is silent or trickles (net::PatientStream). `where` begins the
/// context of errors. Throws Error{transient|tls} as Network::connect does.
Task<std::unique_ptr<net::Stream>> dial(net::Network& network, const EndSetup& setup,
                                        const std::string& where);

}  // namespace postferry
