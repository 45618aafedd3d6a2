// Many accounts side by side: who goes when, and that one account's trouble stays its own.
// Knows no end of any of them: how one is carried is the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/ledger.h"

namespace postferry {

struct FleetPlan {
  /// How much each account holds, as far as that is known: the unknown begin first, then the
  /// largest, so that no big one is begun last. Asking the unknown first would cost each a login,
  /// as much as a run with nothing to do, and count for its provider's limit: who knows that one is
  /// large names it first.
  std::vector<std::optional<std::uint64_t>> sizes;
  std::size_t side_by_side = 1;
  /// An account that must stay away for long (Error::retry_after above kLongestWait) is carried on
  /// when its time has come, while the others go on; else it ends there.
  bool wait = true;
  /// Takes what the account wants to be there before it begins, if it is; it has another turn soon
  /// where it is not. None: nothing is wanted.
  std::function<bool(std::size_t index)> admit = {};
};

/// Carries one account. What it throws as an Error ends that account alone.
using CarryAccount = std::function<Task<Ledger>(std::size_t index)>;

/// What happens to accounts as a whole; called on the loop.
struct FleetEvents {
  std::function<void(std::size_t index)> begun;
  std::function<void(std::size_t index, const Ledger& ledger)> ended;
  /// It goes on at this time.
  std::function<void(std::size_t index, const Ledger& ledger, std::int64_t unix_seconds)> waits;
};

/// Carries every account of the plan, and yields what each came to, in the plan's order. Accounts
/// that a stop request kept from beginning are interrupted, without folders. Throws only Cancelled.
/// `stop` must outlive it.
Task<std::vector<Ledger>> carry_fleet(FleetPlan plan, CarryAccount carry, FleetEvents events,
                                      const StopRequest& stop);

/// Carries one account by itself, and waits for it in the same way. Throws what `carry` throws.
Task<Ledger> carry_alone(std::function<Task<Ledger>()> carry, bool wait,
                         std::function<void(const Ledger& ledger, std::int64_t unix_seconds)> waits,
                         const StopRequest& stop);

}  // namespace postferry
