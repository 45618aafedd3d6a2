// The Relay on top of SMTP and LMTP (engine/relay.h).
#pragma once

#include <memory>

#include "connectors/registry.h"
#include "engine/relay.h"

namespace postferry::smtp {

/// The endpoint has a recipient. Throws Error{usage} when there is no envelope sender and the login
/// is no address either.
std::unique_ptr<Relay> make_relay(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry::smtp
