// A server in memory as a target.
#pragma once

#include <memory>

#include "connectors/memory/server.h"
#include "engine/target.h"

namespace postferry {

/// `server` must outlive the target and its sessions.
std::unique_ptr<Target> make_memory_target(MemoryServer& server);

}  // namespace postferry
