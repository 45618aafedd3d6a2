#include "engine/fleet.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <utility>

#include "engine/async/scope.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/retry.h"

namespace postferry {
namespace {

constexpr std::chrono::milliseconds kGlance{200};

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
    const auto due =
        std::ranges::find_if(waiting_, [now](const Waiting& one) { return one.until <= now; });
    if (due != waiting_.end()) {
      const std::size_t index = due->index;
      waiting_.erase(due);
      return index;
    }
    if (queue_.empty()) return std::nullopt;
    const std::size_t index = queue_.front();
    queue_.pop_front();
    return index;
  }

  Task<void> work(Executor& executor) {
    while (!stop_.requested()) {
      if (const auto index = next(executor.now())) {
        co_await carry_one(executor, *index);
      } else if (waiting_.empty()) {
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
    const auto away = ledger.error ? ledger.error->retry_after() : std::nullopt;
    if (away && *away > kLongestWait && plan_.wait && !stop_.requested()) {
      waiting_.push_back({index, executor.now() + *away});
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(*away).count();
      if (events_.waits) events_.waits(index, ledger, unix_time(executor) + seconds);
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

}  // namespace postferry
