// Many calls, one transaction: what makes a commit cheap enough for every batch of mail.
// Knows nothing of threads; must not know what the calls do.
#pragma once

#include <exception>
#include <span>

#include "state/store.h"

namespace postferry::state {

/// One call on its way to the store and back. Its owner waits for it and keeps it alive.
class Call {
 public:
  virtual ~Call() = default;
  /// Does the work; may be called again after a rollback, and then starts anew.
  virtual void run(Store& store) = 0;
  /// The work is to be on the disk, with all before it, when the call is over.
  virtual bool durable() const { return false; }

  /// Why it failed; empty when what it did is committed.
  std::exception_ptr error;
};

/// Runs the calls in order and commits them together. One that throws is rolled back and fails
/// alone. When the transaction itself is lost (disk full, I/O error), each call is tried once more
/// in a transaction of its own, so that only those fail that must. Never throws: failures are in
/// the calls.
void commit_together(Store& store, std::span<Call* const> calls);

}  // namespace postferry::state
