// COMPRESS=DEFLATE (RFC 4978): whether it pays on this line, and turning to it.
#pragma once

#include <cstdint>

#include "connectors/endpoint.h"
#include "connectors/imap/session.h"
#include "engine/async/executor.h"

namespace postferry::imap {

/// What the sessions of one end know together of their line.
class Compression {
 public:
  explicit Compression(Compress wanted) : wanted_(wanted) {}

  /// Whether it is worth a server's work: asked for, or the line has been seen to be slow.
  bool pays() const {
    return !refused_ && (wanted_ == Compress::on || (wanted_ == Compress::automatic && slow_));
  }
  /// The server does not do what it offers; no session asks again.
  void refuse() { refused_ = true; }

 private:
  friend class LineMeter;

  void add(std::uint64_t bytes, Duration waited);

  const Compress wanted_;
  bool refused_ = false;
  bool slow_ = false;
  int busy_ = 0;  // sessions that move mail
  std::uint64_t bytes_ = 0;
  Duration waited_{};
};

/// Of a session that moves much mail one way, for as long as it lives. What counts is the time in
/// which it waited for nothing but the line, once that has come up to speed: another session's
/// share of the line is no slowness, nor is a round trip, nor is the other end.
class LineMeter {
 public:
  explicit LineMeter(const Session& session);
  LineMeter(const LineMeter&) = delete;
  LineMeter& operator=(const LineMeter&) = delete;
  ~LineMeter();

  void moved(std::uint64_t bytes, Duration waited);

 private:
  const Session& session_;
  std::uint64_t bytes_ = 0;
};

/// Whether the session should turn to it when nothing is under way.
bool compression_due(const Session& session);
/// Asks for it, alone on the line with nothing outstanding. A refusal leaves all as it was.
Task<void> compress(Session& session);

}  // namespace postferry::imap
