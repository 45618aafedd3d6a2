// Keeps commands of one kind on their way, so that the server never waits for us where it offers
// PIPELINING (RFC 2449 6.6); elsewhere one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "connectors/pop3/session.h"

namespace postferry::pop3 {

/// Commands 0 to count-1, in order. The caller refills, then takes one whole reply, and tells.
class Pipeline {
 public:
  /// What a command is, and about how many bytes its reply has.
  struct Plan {
    std::function<Command(std::size_t)> command;
    std::function<std::uint64_t(std::size_t)> reply_bytes;
  };

  Pipeline(Session& session, std::size_t count, Plan plan);

  bool done() const { return answered_ == count_; }
  /// The command whose reply comes next.
  std::size_t current() const { return answered_; }
  /// Sends what fits into the window, in one piece.
  Task<void> refill();
  /// The reply of current() has been taken whole.
  void answered();

 private:
  Session& session_;
  std::size_t count_;
  Plan plan_;
  std::size_t sent_ = 0;
  std::size_t answered_ = 0;
  std::uint64_t bytes_due_ = 0;
};

}  // namespace postferry::pop3
