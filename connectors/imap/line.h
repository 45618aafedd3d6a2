// One connection, used by several at once: each speaks in turn, and listens in the order in which
// they spoke, so that the commands of one go out while another's answers are on their way. It knows
// nothing of what is said.
#pragma once

#include <cstdint>
#include <memory>

#include "connectors/imap/session.h"
#include "engine/async/event.h"
#include "engine/async/task.h"

namespace postferry::imap {

class Line {
 public:
  explicit Line(std::unique_ptr<Session> session) : session_(std::move(session)) {}

  Session& session() { return *session_; }
  /// Nobody can speak or listen any more.
  bool lost() const { return lost_; }

  /// The user whose folder the last SELECT or EXAMINE that went out opens; null: nobody's.
  const void* open_for = nullptr;
  /// How many use it.
  int users = 0;

 private:
  friend class Turn;

  std::unique_ptr<Session> session_;
  Event moved_;                // somebody has spoken or listened to the end
  std::uint64_t taken_ = 0;    // turns
  std::uint64_t speaks_ = 0;   // whose turn it is to speak
  std::uint64_t listens_ = 0;  // and to listen
  bool lost_ = false;
};

/// One user's turn. A turn that is given up before it is over leaves the line dead: then everybody
/// else gets Error{transient}.
class Turn {
 public:
  explicit Turn(Line& line) : line_(line) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

  /// Waits until those before have spoken. First.
  Task<void> speak();
  /// The next may speak.
  void spoken();
  /// Waits until those before have heard their answers. Who has not spoken() may go on speaking.
  Task<void> listen();
  /// The answers are all here; the next may listen.
  void over();

 private:
  void check() const;
  void wake();

  Line& line_;
  std::uint64_t number_ = 0;
  bool taken_ = false, spoken_ = false, over_ = false;
};

}  // namespace postferry::imap
