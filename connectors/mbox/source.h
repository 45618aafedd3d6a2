// An mbox, or a directory of them, as a source.
#pragma once

#include <memory>

#include "connectors/registry.h"
#include "engine/source.h"

namespace postferry::mbox {

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry::mbox
