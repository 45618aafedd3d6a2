// A pace that all keep to together. Knows not what of.
#pragma once

#include <optional>

#include "engine/async/executor.h"
#include "engine/async/task.h"

namespace postferry {

/// So many of something a second, in the order of asking, so that all who ask get a fair share.
class Pace {
 public:
  explicit Pace(double per_second) : per_second_(per_second) {}
  /// Waits until all that was taken before has had its time. Cancelled, it gives nothing back.
  Task<void> take(double amount);

  double per_second() const { return per_second_; }

 private:
  double per_second_;
  std::optional<TimePoint> free_;  // when all that was taken has had its time
};

}  // namespace postferry
