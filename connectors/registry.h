// Turns an endpoint into a Source or a Target: the only place that knows every connector.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "connectors/endpoint.h"
#include "connectors/net/mail_exchangers.h"
#include "connectors/net/stream.h"
#include "engine/async/blocking.h"
#include "engine/relay.h"
#include "engine/source.h"
#include "engine/spool.h"
#include "engine/target.h"

namespace postferry {

/// What connectors need from outside. All of it outlives what is made with it.
struct ConnectorContext {
  net::Network* network = nullptr;
  SpoolFactory* spool = nullptr;
  Blocking* blocking = nullptr;  // for files
  std::string version;           // told to servers by ID
  net::MailExchangers* exchangers = nullptr;
  std::string host_name = {};  // of this machine
};

/// What one end needs.
struct EndSetup {
  Endpoint endpoint;
  Credentials* credentials = nullptr;
  std::chrono::milliseconds timeout{120'000};
  int default_sessions = 4;
  bool look_only = false;  // nothing is changed, not even to make UIDs last

  /// How many sessions this end may have at a time.
  int sessions() const { return endpoint.sessions > 0 ? endpoint.sessions : default_sessions; }
};

/// Throws Error{usage} when the protocol cannot be a source (or a target).
std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup);
std::unique_ptr<Target> make_target(const ConnectorContext& context, EndSetup setup);
/// For an endpoint that relays(), and only that.
std::unique_ptr<Relay> make_relay(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry
