// The simulator's heap: one thread, millions of small blocks, and nobody who gives pages back. It
// takes the place of operator new in postferry-sim alone, and SQLite's blocks come from it, too.
// With a sanitizer, which has a heap of its own, it does nothing.
#pragma once

#include <cstddef>

namespace postferry::sim {

/// Before SQLite is first used. False: SQLite will not have it.
bool give_sqlite_the_pool();

/// Blocks of operator new that are in use; 0 where nobody counts. SQLite's do not count.
std::size_t live_blocks();

}  // namespace postferry::sim
