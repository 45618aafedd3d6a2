// Each set of flags once: the numbers by which message rows name their flags.
// Must not know messages.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "engine/model.h"
#include "state/sqlite.h"

namespace postferry::state {

/// A cache over the table `flags`, bounded.
class FlagTable {
 public:
  explicit FlagTable(Database& database) : database_(database) {}

  /// Finds or makes the number of a set.
  std::int64_t number(const Flags& flags);
  /// Throws Error{journal} for a number that is not in the table.
  Flags flags(std::int64_t number);
  /// Drops the cache: after a rollback, numbers made meanwhile name nothing.
  void forget();

 private:
  Database& database_;
  std::unordered_map<std::string, std::int64_t> numbers_;
  std::unordered_map<std::int64_t, Flags> flags_;
};

}  // namespace postferry::state
