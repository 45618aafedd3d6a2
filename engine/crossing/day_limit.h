// What a login may carry a day in one direction, and has: large providers shut out for a day who
// takes more. Kept in the journal, hour by hour, so that it holds across runs. Knows no line: it is
// told what went over it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/error.h"
#include "engine/journal.h"

namespace postferry {

/// Shared by all accounts that log in as the same user.
class DayLimit {
 public:
  /// `login` is what the journal knows the end by, `described` what people know it by.
  DayLimit(std::string login, std::string described, Direction direction);

  /// 0, as at first: there is no limit, and nothing is written.
  void set(std::uint64_t most_bytes) { most_bytes_ = most_bytes; }
  Direction direction() const { return direction_; }
  void count(std::uint64_t bytes) { fresh_ += bytes; }
  bool used_up() const { return most_bytes_ > 0 && kept_ + fresh_ >= most_bytes_; }

  /// Learns what former runs carried, the first time, and lets hours go that are more than a day
  /// old. `now` is seconds since 1970 UTC, here and below.
  Task<void> recall(Journal& journal, std::int64_t now);
  /// Writes what was counted since the last time.
  Task<void> keep(Journal& journal, std::int64_t now);

  /// Why to stay away, once it is used up, and how long: until enough of it is free again to be
  /// worth a login, and longer than a crossing would wait by itself.
  Error refusal(std::int64_t now) const;

 private:
  void add_up(std::int64_t now);

  std::string login_, described_;
  Direction direction_;
  std::uint64_t most_bytes_ = 0;
  std::map<std::int64_t, std::uint64_t> hours_;
  std::uint64_t kept_ = 0;   // in hours_, of the last day
  std::uint64_t fresh_ = 0;  // not in hours_ yet
  bool recalled_ = false;
};

/// Carries an account while its limits last. Once one of them is used up, what is in flight is
/// finished (what came down still goes up, so that no day passes in vain), and the ledger is interrupted by Error{throttled} with DayLimit::refusal(); an account
/// that begins so is not begun. All must outlive the carrying.
Task<Ledger> carry_within(std::vector<DayLimit*> limits, Journal& journal, const StopRequest& stop,
                          std::function<Task<Ledger>(const StopRequest& stop)> carry);

}  // namespace postferry
