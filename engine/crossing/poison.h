// Finds the message at which a server breaks the line every time, by carrying ever fewer at once
// over fresh sessions: a few attempts, whatever the size of the folder. Pure.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>

#include "engine/error.h"
#include "engine/model.h"

namespace postferry {

/// What one attempt to carry a folder was at when it failed.
struct UnderWay {
  std::size_t messages = 0;  // asked for and not decided; 0: no message was being carried
  MessageKey first;
};

/// A message that is given up, and why.
struct Condemned {
  MessageKey key;
  std::string words;
};

/// The hunt in one folder. `in_a_row` is shared by all hunts of an account: messages condemned
/// since any was decided. With too many of them it may be the server: a witness, from the other end
/// of what is due, must cross before any more is condemned.
class PoisonHunt {
 public:
  explicit PoisonHunt(int& in_a_row) : in_a_row_(in_a_row) {}

  /// Most messages to carry at once in the next attempt.
  std::size_t at_once() const { return at_once_; }
  /// The next attempt begins with the last message of those that are due.
  bool wants_witness() const { return witness_; }
  /// The message to give up before the next attempt, if one is found guilty: alone under way it
  /// broke the line twice.
  const std::optional<Condemned>& condemned() const { return condemned_; }

  /// An attempt has failed; `progressed`: some message was decided. True when the next attempt will
  /// tell more than this one did, so that it is no mere repetition.
  bool failed(const Error& error, bool progressed, const UnderWay& under_way);

 private:
  std::size_t at_once_ = std::numeric_limits<std::size_t>::max();
  std::optional<MessageKey> suspect_;
  std::optional<Condemned> condemned_;
  bool witness_ = false;
  int& in_a_row_;
};

}  // namespace postferry
