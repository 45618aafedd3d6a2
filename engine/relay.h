// The port to where mail can only be handed over: a server that takes messages for somebody and can
// never be asked what became of them. Implemented by connectors; the engine owns the contract.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "engine/async/task.h"
#include "engine/source.h"

namespace postferry {

/// The server has taken the message over.
struct Delivered {};
/// Refused for good, in the server's words; nothing was handed over.
struct Refused {
  std::string text;
  bool all = false;  // so would be any other message
};
/// Not now, in the server's words; nothing was handed over.
struct Deferred {
  std::string text;
};
/// The message was sent to its end, and no answer came: it may or may not have been taken.
struct Undecided {
  std::string text;
};
using RelayResult = std::variant<Delivered, Refused, Deferred, Undecided>;

/// One connection. One call at a time.
class RelaySession {
 public:
  virtual ~RelaySession() = default;
  /// Hands one message over; its body is not a streamed one. Throws Error when nothing was handed
  /// over for another reason than the message; then, after Undecided, and after a cancelled call,
  /// the session is dead: drop it.
  virtual Task<RelayResult> send(const Message& message) = 0;
  /// The server takes no more on this connection: only logout() may follow.
  virtual bool over() const = 0;
  /// The largest message that it takes, where it says so.
  virtual std::optional<std::uint64_t> most_bytes() const = 0;
  /// Says goodbye; never throws but Cancelled.
  virtual Task<void> logout() = 0;
};

class Relay {
 public:
  virtual ~Relay() = default;
  /// Connects and logs in. Throws
  /// Error{unreachable|tls|auth|transient|throttled|protocol|rejected}.
  virtual Task<std::unique_ptr<RelaySession>> connect() = 0;
  virtual int max_sessions() const = 0;
  /// "smtp://ann@mail.example, for bob@new.example", for people.
  virtual std::string describe() const = 0;
};

}  // namespace postferry
