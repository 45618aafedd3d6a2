// IMAP as a target for mail.
#pragma once

#include <memory>

#include "connectors/registry.h"
#include "engine/target.h"

namespace postferry::imap {

std::unique_ptr<Target> make_target(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry::imap
