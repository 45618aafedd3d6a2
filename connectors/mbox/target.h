// An mbox, or a directory of them, as a target.
#pragma once

#include <memory>

#include "connectors/registry.h"
#include "engine/target.h"

namespace postferry::mbox {

std::unique_ptr<Target> make_target(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry::mbox
