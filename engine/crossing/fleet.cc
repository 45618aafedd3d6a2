#include "engine/crossing/fleet.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "engine/async/scope.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/crossing/retry.h"

namespace postferry {
namespace {

constexpr std::chrono::milliseconds kGlance{200};

/// How long this account must stay away, if that is longer than it waits by itself.
std::optional<std::chrono::milliseconds> long_away(const Ledger& ledger) {
  const auto away = ledger.error ? ledger.error->retry_after() : std::nullopt;
  return away && *away > kLongestWait ? away : std::nullopt;
}

std::int64_t time_after(const Executor& executor, std::chrono::milliseconds away) {
  return unix_time(executor) + std::chrono::ceil<std::chrono::seconds>(away).count();
}

/// An account that waits for its time.
struct Waiting {
  std::size_t index;
  TimePoint until;
};

class Fleet {
 public:
  Fleet(FleetPlan plan, CarryAccount carry, FleetEvents events, const StopRequest& stop)
      : plan_(std::move(plan)),
        carry_(std::move(carry)),
        events_(std::move(events)),
        stop_(stop),
        ledgers_(plan_.sizes.size()) {}

  Task<std::vector<Ledger>> run() {
    Executor& executor = (co_await current_scope()).executor();
    for (Ledger& ledger : ledgers_) ledger.outcome = Outcome::interrupted;
    queue_up();
    const std::size_t workers = std::min(std::max<std::size_t>(1, plan_.side_by_side),
                                         std::max<std::size_t>(1, queue_.size()));
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      for (std::size_t i = 0; i < workers; ++i) group.spawn(work(executor));
      co_await group.join();
    });
    co_return std::move(ledgers_);
  }

 private:
  void queue_up() {
    std::vector<std::size_t> order(plan_.sizes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [this](std::size_t a, std::size_t b) {
      const auto &of_a = plan_.sizes[a], &of_b = plan_.sizes[b];
      if (of_a.has_value() != of_b.has_value()) return !of_a;
      return of_a && *of_a > *of_b;
    });
    queue_.assign(order.begin(), order.end());
  }

  std::optional<std::size_t> next(TimePoint now) {
    const auto admitted = [this](std::size_t index) { return !plan_.admit || plan_.admit(index); };
    const auto due = std::ranges::find_if(
        waiting_, [&](const Waiting& one) { return one.until <= now && admitted(one.index); });
    if (due != waiting_.end()) {
      const std::size_t index = due->index;
      waiting_.erase(due);
      return index;
    }
    const auto first = std::ranges::find_if(queue_, admitted);
    if (first == queue_.end()) return std::nullopt;
    const std::size_t index = *first;
    queue_.erase(first);
    return index;
  }

  Task<void> work(Executor& executor) {
    while (!stop_.requested()) {
      if (const auto index = next(executor.now())) {
        co_await carry_one(executor, *index);
      } else if (waiting_.empty() && queue_.empty()) {
        co_return;  // an account under way that comes to wait has its own worker for it
      } else {
        co_await sleep_for(kGlance);
      }
    }
  }

  Task<void> carry_one(Executor& executor, std::size_t index) {
    Ledger& ledger = ledgers_[index];
    if (events_.begun) events_.begun(index);
    std::optional<Error> failure;
    try {
      ledger = co_await carry_(index);
    } catch (const Error& error) {
      failure = error;
    }
    if (failure) {
      ledger = {};
      ledger.outcome = Outcome::failed;
      ledger.error = std::move(failure);
    }
    const auto away = long_away(ledger);
    if (away && plan_.wait && !stop_.requested()) {
      waiting_.push_back({index, executor.now() + *away});
      if (events_.waits) events_.waits(index, ledger, time_after(executor, *away));
      co_return;
    }
    if (events_.ended) events_.ended(index, ledger);
  }

  FleetPlan plan_;
  CarryAccount carry_;
  FleetEvents events_;
  const StopRequest& stop_;
  std::deque<std::size_t> queue_;
  std::vector<Waiting> waiting_;
  std::vector<Ledger> ledgers_;
};

}  // namespace

Task<std::vector<Ledger>> carry_fleet(FleetPlan plan, CarryAccount carry, FleetEvents events,
                                      const StopRequest& stop) {
  Fleet fleet(std::move(plan), std::move(carry), std::move(events), stop);
  co_return co_await fleet.run();
}

Task<Ledger> carry_alone(std::function<Task<Ledger>()> carry, bool wait,
                         std::function<void(const Ledger& ledger, std::int64_t unix_seconds)> waits,
                         const StopRequest& stop) {
  const Executor& executor = (co_await current_scope()).executor();
  for (;;) {
    Ledger ledger = co_await carry();
    const auto away = long_away(ledger);
    if (!away || !wait || stop.requested()) co_return ledger;
    waits(ledger, time_after(executor, *away));
    const TimePoint until = executor.now() + *away;
    while (executor.now() < until && !stop.requested()) co_await sleep_for(kGlance);
    if (stop.requested()) co_return ledger;
  }
}

}  // namespace postferry
