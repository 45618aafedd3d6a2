// The sessions with a relay, and what they came to together: reconnecting, giving up, stopping when
// the server wants no more. Knows nothing of folders.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/async/task.h"
#include "engine/crossing/crossing.h"
#include "engine/relay.h"

namespace postferry {

class RelayLanes {
 public:
  RelayLanes(Relay& relay, Observer& observer, const CrossingOptions& options,
             const StopRequest& stop, std::size_t count);

  std::size_t size() const { return sessions_.size(); }
  /// The lane's session, connected if need be, waited for while that may help. Null: it cannot be
  /// had, either because others are enough for this server or because halted().
  Task<RelaySession*> session(std::size_t lane);
  /// Hands a message over. Nothing: it was not handed over for a reason that is the server's, or
  /// the line's; it may go out again. What there is to wait for then, session() waits for: here an
  /// intent is on the disk, and a kill would make an `unknown` of it.
  Task<std::optional<RelayResult>> send(std::size_t lane, const Message& message);

  /// What ends the account, if anything has.
  const std::optional<Error>& halted() const { return halted_; }
  void halt(Error error);
  /// Leaves all of them, in bounded time. Throws only Cancelled.
  Task<void> say_goodbye();

 private:
  Task<void> leave(std::size_t lane);
  void note_result(const RelayResult& result);

  Relay& relay_;
  Observer& observer_;
  const CrossingOptions& options_;
  const StopRequest& stop_;
  std::vector<std::unique_ptr<RelaySession>> sessions_;
  std::vector<bool> gone_;                  // lanes that the server has no place for
  std::vector<std::optional<Error>> lost_;  // why a lane has no session, until it was waited for
  std::optional<Error> halted_;
  bool reached_ = false;  // ever
  int failures_ = 0;      // lost lines in a row
  int deferrals_ = 0;     // in a row
};

}  // namespace postferry
