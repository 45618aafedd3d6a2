#include "connectors/smtp/session.h"

#include <fmt/format.h>

#include <cassert>
#include <optional>
#include <span>
#include <utility>

#include "engine/async/timeout.h"
#include "engine/secret.h"

namespace postferry::smtp {
namespace {

constexpr std::size_t kBufferBytes = 16 << 10;

}  // namespace

Session::Session(std::unique_ptr<net::Stream> stream, std::string where,
                 std::chrono::milliseconds limit)
    : stream_(std::move(stream)),
      where_(std::move(where)),
      limit_(limit),
      buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}

Error Session::error(ErrorKind kind, const std::string& message) const {
  return Error(kind, printable(message), where_);
}

Task<void> Session::write(std::string_view bytes) {
  std::vector<std::string_view> pieces(1, bytes);
  broken_ = true;  // until it has gone out
  try {
    // The stream has a limit of its own. Ours would count the turns that a pace makes us wait.
    co_await stream_->write(std::move(pieces));
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
  broken_ = false;
}

void Session::check_unasked() {
  if (due_ > 0 || unread().empty()) return;
  const std::string_view rest = unread();
  const std::string_view line = rest.substr(0, rest.find_first_of("\r\n"));
  throw error(line.starts_with("421") ? ErrorKind::transient : ErrorKind::protocol,
              fmt::format("the server said what nobody asked for: {}", line));
}

Task<void> Session::send(std::vector<Command> commands) {
  check_unasked();
  bool secret = false;
  std::string text;
  for (const Command& command : commands) {
    secret = secret || command.secret;
    text.append(command.text).append("\r\n");
  }
  due_ += commands.size();
  const Secret wire(std::move(text));  // wiped when it has gone out
  if (secret) stream_->mark_secret(true);
  co_await write(wire.reveal());
  if (secret) stream_->mark_secret(false);
}

Task<void> Session::send_bytes(std::string_view bytes) { co_await write(bytes); }

Task<void> Session::fill() {
  assert(begin_ == end_);
  begin_ = end_ = 0;
  std::size_t count = 0;
  try {
    count = co_await stream_->read(std::span<char>(buffer_.get(), kBufferBytes));
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
  if (count == 0) throw error(ErrorKind::transient, "the server closed the connection");
  end_ = count;
}

Task<void> Session::read_reply(Reply& into) {
  for (;;) {
    std::string_view rest = unread();
    std::optional<Reply> found;
    try {
      found = decoder_.next(rest);
    } catch (const ProtocolError& broken) {
      throw error(ErrorKind::protocol,
                  fmt::format("the server's answer cannot be understood: {}, but it said: {}",
                              broken.what(), broken.excerpt()));
    }
    begin_ = end_ - rest.size();
    if (found) {
      into = std::move(*found);
      co_return;
    }
    co_await fill();
  }
}

Task<Reply> Session::reply() { return reply(limit_); }

Task<Reply> Session::reply(std::chrono::milliseconds limit) {
  assert(due_ > 0);
  Reply found;
  broken_ = true;
  try {
    co_await with_timeout(limit, read_reply(found));
  } catch (const TimedOut&) {
    throw error(ErrorKind::transient, "the server does not answer");
  }
  broken_ = false;
  --due_;
  closing_ = closing_ || found.code == 421;
  co_return found;
}

Task<Reply> Session::ask(Command command) {
  std::vector<Command> commands;
  commands.push_back(std::move(command));
  co_await send(std::move(commands));
  co_return co_await reply();
}

Task<void> Session::start_tls(net::TlsOptions options) {
  const std::size_t unread_bytes = unread().size();
  try {
    co_await stream_->start_tls(std::move(options), unread_bytes);
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
}

Task<void> Session::close() { co_await stream_->close(); }

}  // namespace postferry::smtp
