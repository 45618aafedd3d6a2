// The journal with time in it: every call waits a little before and after its commit, as on a
// thread of its own, so that a crash can come between a commit and whatever follows it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "engine/journal.h"
#include "tests/sim/dice.h"
#include "tests/sim/trace.h"

namespace postferry::sim {

/// What was written and not made durable: `folder key`, for folders of the source. It outlives the
/// program, as the disk does.
struct Unsynced {
  std::set<std::string> rows;
  std::map<std::int64_t, std::string> folders;

  static std::string name(const std::string& folder, const MessageKey& key) {
    return folder + " " + key.to_string();
  }
};

/// As the real one, a call is not cut short by a cancel. All must outlive the result.
std::unique_ptr<Journal> make_stepped(Journal& inner, Dice& dice, Trace& trace, Unsynced& unsynced);

}  // namespace postferry::sim
