// One connection to an SMTP or LMTP server: commands out, replies in, in order. What is made of the
// replies is known elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/net/stream.h"
#include "connectors/smtp/codec/command.h"
#include "connectors/smtp/codec/reply.h"
#include "engine/async/task.h"
#include "engine/error.h"

namespace postferry::smtp {

/// Replies are taken in the order of the commands; the greeting is the first. All calls throw
/// Error{transient} on a lost line or a silent server and Error{protocol} on what is no SMTP; after
/// either, and after a cancelled call, only close() is allowed.
class Session {
 public:
  /// `where` begins the context of every error; `limit` is that of one reply and of one write.
  Session(std::unique_ptr<net::Stream> stream, std::string where, std::chrono::milliseconds limit);

  /// Sends commands in one piece. What the server said unasked before is an error, or the goodbye
  /// that it is: it would be taken for the answer.
  Task<void> send(std::vector<Command> commands);
  /// Sends a part of a message.
  Task<void> send_bytes(std::string_view bytes);
  /// The next reply, whatever it says. With a `limit` of its own, which may be longer.
  Task<Reply> reply();
  Task<Reply> reply(std::chrono::milliseconds limit);
  Task<Reply> ask(Command command);
  /// A reply is due for the part of a message that was sent last.
  void expect_reply() { ++due_; }

  /// What EHLO offered last.
  Extensions offered;

  /// STARTTLS was accepted: turns the line to TLS. Bytes received before are fatal (RFC 3207 6).
  Task<void> start_tls(net::TlsOptions options);
  net::Stream& stream() { return *stream_; }
  const net::Stream& stream() const { return *stream_; }
  /// Every command has had its reply, and none of them was 421: the next one would be heard.
  bool at_rest() const { return due_ == 0 && !broken_ && !closing_; }
  /// The server has said that it closes the connection (421).
  bool closing() const { return closing_; }
  /// Ends the connection. Never throws but Cancelled.
  Task<void> close();

  const std::string& where() const { return where_; }
  Error error(ErrorKind kind, const std::string& message) const;

 private:
  std::string_view unread() const { return {buffer_.get() + begin_, end_ - begin_}; }
  Task<void> write(std::string_view bytes);
  Task<void> fill();
  Task<void> read_reply(Reply& into);
  void check_unasked();

  std::unique_ptr<net::Stream> stream_;
  std::string where_;
  std::chrono::milliseconds limit_;
  std::unique_ptr<char[]> buffer_;  // never zeroed: a session may end after a few lines
  std::size_t begin_ = 0, end_ = 0;
  ReplyDecoder decoder_;
  std::size_t due_ = 1;  // the greeting
  bool closing_ = false, broken_ = false;
};

}  // namespace postferry::smtp
