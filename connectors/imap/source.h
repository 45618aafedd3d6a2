// IMAP as a source of mail.
#pragma once

#include <memory>

#include "connectors/registry.h"
#include "engine/source.h"

namespace postferry::imap {

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry::imap
