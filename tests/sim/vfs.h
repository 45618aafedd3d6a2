// The simulated disk as SQLite sees it. Must not know what is stored.
#pragma once

#include <memory>

#include "tests/sim/disk.h"

namespace postferry::sim {

/// A VFS on `disk`, not yet registered; its name lives in the disk.
std::unique_ptr<sqlite3_vfs> make_vfs(Disk& disk);

}  // namespace postferry::sim
