#include "engine/relay/lanes.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/crossing/retry.h"

namespace postferry {

namespace {

constexpr std::chrono::seconds kGoodbye{5};
/// A server that puts off so many in a row means all of them: the recipient, or us.
constexpr int kDeferralsInARow = 5;

}  // namespace

RelayLanes::RelayLanes(Relay& relay, Observer& observer, const CrossingOptions& options,
                       const StopRequest& stop, std::size_t count)
    : relay_(relay),
      observer_(observer),
      options_(options),
      stop_(stop),
      sessions_(count),
      gone_(count, false),
      lost_(count) {}

void RelayLanes::halt(Error error) {
  if (!halted_) halted_ = std::move(error);
}

Task<RelaySession*> RelayLanes::session(std::size_t lane) {
  if (sessions_[lane] && sessions_[lane]->over()) co_await leave(lane);
  if (const std::optional<Error> lost = std::exchange(lost_[lane], std::nullopt);
      lost && !halted_ && !stop_.requested())
    co_await wait_to_try_again(*lost, failures_, observer_, stop_);
  while (!sessions_[lane] && !halted_ && !gone_[lane] && !stop_.requested()) {
    std::optional<Error> failure;
    try {
      sessions_[lane] = co_await relay_.connect();
      reached_ = true;
      break;
    } catch (const Error& error) {
      failure = error;
    }
    const bool others =
        std::ranges::any_of(sessions_, [](const auto& one) { return one != nullptr; });
    const bool again = remedy_for(*failure) == Remedy::again;
    if (others && again) {
      observer_.note(Level::info, std::string("going on with fewer sessions: ") + failure->what());
      gone_[lane] = true;
    } else if (!again || (failure->kind() == ErrorKind::unreachable && !reached_) ||
               ++failures_ > options_.retries) {
      halt(*failure);
    } else {
      co_await wait_to_try_again(*failure, failures_, observer_, stop_);
    }
  }
  co_return sessions_[lane].get();
}

Task<std::optional<RelayResult>> RelayLanes::send(std::size_t lane, const Message& message) {
  std::optional<Error> failure;
  try {
    RelayResult result = co_await sessions_[lane]->send(message);
    note_result(result);
    if (std::holds_alternative<Undecided>(result)) sessions_[lane].reset();
    co_return result;
  } catch (const Error& error) {
    failure = error;
  }
  sessions_[lane].reset();
  if (remedy_for(*failure) != Remedy::again || ++failures_ > options_.retries) {
    halt(*failure);
  } else {
    lost_[lane] = std::move(failure);
  }
  co_return std::nullopt;
}

void RelayLanes::note_result(const RelayResult& result) {
  if (!std::holds_alternative<Undecided>(result)) failures_ = 0;
  const auto* deferred = std::get_if<Deferred>(&result);
  deferrals_ = deferred ? deferrals_ + 1 : 0;
  if (deferred && deferrals_ >= kDeferralsInARow)
    halt(Error(ErrorKind::throttled,
               "the target puts off one message after the other: " + deferred->text,
               "target " + relay_.describe()));
  if (const auto* lost = std::get_if<Undecided>(&result); lost && ++failures_ > options_.retries)
    halt(Error(ErrorKind::transient, lost->text, "target " + relay_.describe()));
  if (const auto* refused = std::get_if<Refused>(&result); refused && refused->all)
    halt(Error(ErrorKind::rejected, "the target wants none of this mail: " + refused->text,
               "target " + relay_.describe()));
}

Task<void> RelayLanes::leave(std::size_t lane) {
  const std::unique_ptr<RelaySession> over = std::move(sessions_[lane]);
  co_await over->logout();
}

Task<void> RelayLanes::say_goodbye() {
  try {
    co_await with_timeout(kGoodbye, with_group([this](TaskGroup& group) -> Task<void> {
                            for (const auto& session : sessions_)
                              if (session) group.spawn(session->logout());
                            co_await group.join();
                          }));
  } catch (const TimedOut&) {
    observer_.note(Level::debug, "a server did not answer the goodbye");
  }
  for (auto& session : sessions_) session.reset();
}

}  // namespace postferry
