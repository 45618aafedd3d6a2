#include "engine/crossing/day_limit.h"

#include <algorithm>
#include <utility>

#include "engine/async/scope.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/crossing/retry.h"

namespace postferry {
namespace {

constexpr std::int64_t kHour = 3600;
/// The hour under way counts, and those that a day ago were under way or later.
constexpr std::int64_t kDayHours = 24;
/// So much of a limit must be free again before a login is worth it.
constexpr std::uint64_t kWorthwhileShare = 8;
constexpr std::chrono::seconds kKeepEvery{1};

std::string size_text(std::uint64_t bytes) {
  if (bytes >= 10'000'000) return std::to_string(bytes / 1'000'000) + " MB";
  if (bytes >= 10'000) return std::to_string(bytes / 1000) + " kB";
  return std::to_string(bytes) + " bytes";
}

/// The user's wish, or a limit that is used up.
class DayStop final : public StopRequest {
 public:
  DayStop(const StopRequest& user, const std::vector<DayLimit*>& limits, const Executor& executor)
      : user_(user), limits_(limits), executor_(executor) {}

  bool requested() const override {
    if (user_.requested()) return true;
    if (!reason_) {
      const auto at = std::ranges::find_if(limits_, &DayLimit::used_up);
      if (at != limits_.end()) reason_ = (*at)->refusal(unix_time(executor_));
    }
    return reason_.has_value();
  }

  bool at_once() const override {
    const auto up = [](const DayLimit* limit) {
      return limit->direction() == Direction::up && limit->used_up();
    };
    return user_.requested() || std::ranges::any_of(limits_, up);
  }

  std::optional<Error> reason() const override {
    return !user_.requested() && requested() ? reason_ : std::nullopt;
  }

 private:
  const StopRequest& user_;
  const std::vector<DayLimit*>& limits_;
  const Executor& executor_;
  mutable std::optional<Error> reason_;  // of the first look that found one: it stays
};

Task<void> keep_all(const std::vector<DayLimit*>& limits, Journal& journal,
                    const Executor& executor) {
  for (DayLimit* limit : limits) co_await limit->keep(journal, unix_time(executor));
}

Task<void> keep_again_and_again(const std::vector<DayLimit*>& limits, Journal& journal,
                                const Executor& executor) {
  for (;;) {
    co_await sleep_for(kKeepEvery);
    co_await shielded(keep_all(limits, journal, executor));
  }
}

}  // namespace

DayLimit::DayLimit(std::string login, std::string described, Direction direction)
    : login_(std::move(login)), described_(std::move(described)), direction_(direction) {}

Task<void> DayLimit::recall(Journal& journal, std::int64_t now) {
  if (most_bytes_ > 0 && !std::exchange(recalled_, true)) {
    const std::vector<TrafficHour> hours =
        co_await journal.traffic(login_, direction_, now / kHour - kDayHours);
    for (const TrafficHour& hour : hours) hours_[hour.hour] += hour.bytes;
  }
  add_up(now);
}

Task<void> DayLimit::keep(Journal& journal, std::int64_t now) {
  if (most_bytes_ == 0) co_return;
  co_await recall(journal, now);  // if the limit has been learned meanwhile
  const std::uint64_t bytes = std::exchange(fresh_, 0);
  const std::int64_t hour = now / kHour;
  if (bytes > 0) hours_[hour] += bytes;
  add_up(now);
  if (bytes > 0) co_await journal.add_traffic(login_, direction_, {hour, bytes});
}

void DayLimit::add_up(std::int64_t now) {
  const std::int64_t hour = now / kHour;
  kept_ = 0;
  // An hour that is yet to come is a clock's that was wrong: it would hold the account up for long.
  for (const auto& [at, bytes] : hours_)
    if (at >= hour - kDayHours && at <= hour + 1) kept_ += bytes;
}

Error DayLimit::refusal(std::int64_t now) const {
  const std::uint64_t enough = most_bytes_ - most_bytes_ / kWorthwhileShare;
  const std::int64_t hour = now / kHour;
  std::uint64_t counted = kept_ + fresh_;
  std::int64_t back = now + kDayHours * kHour;
  for (const auto& [at, bytes] : hours_) {
    if (counted < enough || at > hour + 1) break;
    if (at < hour - kDayHours) continue;
    counted -= bytes;
    back = (at + 1 + kDayHours) * kHour;
  }
  if (counted >= enough) back = now + (kDayHours + 1) * kHour;  // of this moment, most of it
  const std::chrono::seconds away =
      std::max<std::chrono::seconds>(std::chrono::seconds(back - now), kLongestWait);
  const char* const what = direction_ == Direction::down ? " that it gives" : " that it takes";
  return Error(ErrorKind::throttled, "the " + size_text(most_bytes_) + what + " a day are used up",
               described_)
      .after(away + std::chrono::minutes(1));
}

Task<Ledger> carry_within(std::vector<DayLimit*> limits, Journal& journal, const StopRequest& stop,
                          std::function<Task<Ledger>(const StopRequest& stop)> carry) {
  if (limits.empty()) co_return co_await carry(stop);
  const Executor& executor = (co_await current_scope()).executor();
  for (DayLimit* limit : limits) co_await limit->recall(journal, unix_time(executor));
  const DayStop day(stop, limits, executor);
  Ledger ledger;
  ledger.error = day.reason();
  ledger.outcome = Outcome::interrupted;
  if (ledger.error) co_return ledger;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(keep_again_and_again(limits, journal, executor));
    ledger = co_await carry(day);
    group.cancel();
  });
  co_await shielded(keep_all(limits, journal, executor));
  co_return ledger;
}

}  // namespace postferry
