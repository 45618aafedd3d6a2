// POP3 as a source of mail: one folder, INBOX, whose keys are UIDLs.
#pragma once

#include <memory>

#include "connectors/registry.h"
#include "engine/source.h"

namespace postferry::pop3 {

/// One session at a time, since a maildrop has one lock (RFC 1939 8).
std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup);

}  // namespace postferry::pop3
