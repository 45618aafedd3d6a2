// A directory of `.eml` files as a source: directories are folders, files are messages.
#pragma once

#include <memory>

#include "connectors/registry.h"
#include "engine/source.h"

namespace postferry::eml {

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry::eml
