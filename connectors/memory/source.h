// A server in memory as a source.
#pragma once

#include <memory>

#include "connectors/memory/server.h"
#include "engine/source.h"

namespace postferry {

/// `server` must outlive the source and its sessions.
std::unique_ptr<Source> make_memory_source(MemoryServer& server);

}  // namespace postferry
