// A connected TCP socket on the loop: reads and writes that never wait, and waits until one may
// succeed. Must not know TLS, names, or what the bytes mean.
//
// The system calls are ours, straight into and out of the caller's memory; libuv only says when a
// socket is ready (uv_poll). So it never holds anybody's memory, and a cancelled wait ends at once.
#pragma once

#include <sys/uio.h>
#include <uv.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "connectors/net/address.h"
#include "connectors/net/uv_executor.h"
#include "engine/async/completion.h"
#include "engine/async/task.h"

namespace postferry::net {

/// What a call that does not wait came to.
struct IoResult {
  std::size_t bytes = 0;
  int error = 0;  // an errno; EAGAIN: wait, then try again
  bool would_wait() const;
};

/// One task may wait for reading and one for writing at a time. Whoever waits has gone before the
/// destructor runs.
class UvTcp {
 public:
  /// Connects to one address, with TCP_NODELAY and keep-alive (60 s idle, then every 15 s). Throws
  /// Error{unreachable} with the system's words, without a context. A cancel closes the socket.
  static Task<std::unique_ptr<UvTcp>> connect(UvExecutor& executor, Address address);

  UvTcp(const UvTcp&) = delete;
  UvTcp& operator=(const UvTcp&) = delete;
  ~UvTcp();

  /// 0 bytes without an error: the peer has ended its direction.
  IoResult try_read(std::span<char> into);
  /// Takes any number of pieces; may take fewer bytes than there are.
  IoResult try_write(std::span<const iovec> pieces);
  /// Bytes that wait to be read, without taking them; the end of the stream counts as none.
  bool has_unread_bytes();
  /// Tells the peer that nothing more will come.
  void end_writing();

  /// Wait until try_read, or try_write, may do something. Throw TimedOut after the limit, and
  /// Cancelled; then the socket is as before.
  Task<void> readable();
  Task<void> writable();
  /// The limit of each such wait; of one for reading it counts from the last byte that was written.
  void set_limit(std::chrono::milliseconds limit) { limit_ = limit; }

  /// Drops the connection; waits that are under way end at once, and every later call reports
  /// ENOTCONN. A second call does nothing.
  void close();
  bool closed() const { return descriptor_ < 0; }

 private:
  struct Poll;
  struct Side {
    Completion<void> ready;
    TimePoint deadline;
  };

  UvTcp(UvExecutor& executor, int descriptor);
  Task<void> wait(Side& side, int event);
  void watch(int events);
  void on_events(int status, int events);
  void arm_deadline(TimePoint deadline);
  void on_deadline();

  UvExecutor& executor_;
  int descriptor_;
  Poll* poll_;       // freed by libuv's close callback
  int watched_ = 0;  // the events that libuv watches for
  Side reading_;
  Side writing_;
  std::chrono::milliseconds limit_{120'000};
  TimerId timer_ = TimerId::kNone;
  TimePoint timer_due_;
  TimePoint wrote_;
};

}  // namespace postferry::net
