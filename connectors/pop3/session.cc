#include "connectors/pop3/session.h"

#include <fmt/format.h>

#include <cassert>
#include <span>
#include <utility>

#include "engine/async/scope.h"
#include "engine/secret.h"

namespace postferry::pop3 {
namespace {

constexpr std::size_t kBufferBytes = 256 << 10;

}  // namespace

std::string words(const StatusLine& status) {
  std::string text = status.ok() ? "+OK" : status.kind == StatusLine::Kind::err ? "-ERR" : "+";
  if (!status.text.empty()) text += " " + status.text;
  return printable(text);
}

Session::Session(std::unique_ptr<net::Stream> stream, std::string where)
    : stream_(std::move(stream)),
      where_(std::move(where)),
      buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}

Error Session::error(ErrorKind kind, const std::string& message) const {
  return Error(kind, message, where_);
}

/// The codec's complaint, as the engine understands it.
[[noreturn]] static void throw_not_understood(const ProtocolError& broken, const Session& session) {
  throw session.error(ErrorKind::protocol,
                      fmt::format("the server's answer cannot be understood: {}, but it said: {}",
                                  broken.what(), printable(broken.excerpt())));
}

Task<void> Session::fill() {
  assert(begin_ == end_);
  co_await fill_more();
}

Task<void> Session::fill_more() {
  const std::string_view rest = unread();
  std::ranges::copy(rest, buffer_.get());
  begin_ = 0;
  end_ = rest.size();
  Executor& executor = (co_await current_scope()).executor();
  const TimePoint begun = executor.now();
  std::size_t count = 0;
  try {
    count = co_await stream_->read(std::span<char>(buffer_.get() + end_, kBufferBytes - end_));
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
  if (count == 0) throw error(ErrorKind::transient, "the server closed the connection");
  end_ += count;
  if (amid_body_) crawl_.waited(executor.now() - begun, count);
}

void Session::check_unasked() {
  if (!at_rest() || unread().empty()) return;
  std::string_view rest = unread();
  const std::string line(rest.substr(0, rest.find_first_of("\r\n")));
  // Servers say goodbye so, at the end of their patience.
  const bool goodbye = line.starts_with("-ERR");
  throw error(goodbye ? ErrorKind::transient : ErrorKind::protocol,
              fmt::format("the server said what nobody asked for: {}", printable(line)));
}

Task<void> Session::write(std::string wire, std::size_t replies, bool secret) {
  check_unasked();
  due_ += replies;
  const Secret bytes(std::move(wire));  // wiped when it has gone out
  std::vector<std::string_view> pieces(1, bytes.reveal());
  if (secret) stream_->mark_secret(true);
  try {
    co_await stream_->write(std::move(pieces));
  } catch (const Error& failure) {
    throw failure.in(where_);
  }
  if (secret) stream_->mark_secret(false);
}

Task<void> Session::send(Command command) {
  const bool secret = command.secret;
  command.text += "\r\n";
  co_await write(std::move(command.text), 1, secret);
}

Task<void> Session::send_all(std::vector<Command> commands) {
  if (commands.empty()) co_return;
  bool secret = false;
  for (const Command& command : commands) secret |= command.secret;
  co_await write(joined(commands), commands.size(), secret);
}

Task<StatusLine> Session::status(Reply reply) {
  assert(due_ > 0 && !in_reply_);
  for (;;) {
    std::string_view rest = unread();
    std::optional<StatusLine> found;
    try {
      const auto line = lines_.next(rest);
      if (line) found = parse_status(*line);
    } catch (const ProtocolError& broken) {
      throw_not_understood(broken, *this);
    }
    consume_to(rest);
    if (found) {
      --due_;
      in_reply_ = found->ok() && reply == Reply::multi;
      co_return std::move(*found);
    }
    co_await fill();
  }
}

Task<StatusLine> Session::ask(Command command, Reply reply) {
  co_await send(std::move(command));
  co_return co_await status(reply);
}

Task<void> Session::listing(std::function<void(std::string_view)> line, std::size_t most_lines) {
  assert(in_reply_);
  ListingDecoder decoder(most_lines);
  for (;;) {
    std::string_view rest = unread();
    try {
      while (const auto next = decoder.next(rest)) line(*next);
    } catch (const ProtocolError& broken) {
      throw_not_understood(broken, *this);
    }
    consume_to(rest);
    if (decoder.done()) break;
    co_await fill();
  }
  in_reply_ = false;
}

Task<void> Session::body(DotDecoder& decoder, std::string& out) {
  assert(in_reply_ && !decoder.done());
  if (unread().empty()) co_await fill();
  begin_ += decoder.feed(unread(), out);
  amid_body_ = !decoder.done();
  if (amid_body_) co_return;
  in_reply_ = false;
  co_await check_end(decoder);
}

/// A sloppy end is believed only if what follows fits: the next reply, or nothing.
Task<void> Session::check_end(const DotDecoder& decoder) {
  if (decoder.strict_end()) co_return;
  constexpr std::string_view kOk = "+OK", kErr = "-ERR";
  const auto begins = [this](std::string_view word) {
    return word.starts_with(unread().substr(0, word.size()));
  };
  // Where replies are due something will come: a part of a word decides nothing.
  while (due_ > 0 && unread().size() < kErr.size() && (begins(kOk) || begins(kErr)))
    co_await fill_more();
  if (unread().empty() || (due_ > 0 && (begins(kOk) || begins(kErr)))) co_return;
  throw error(ErrorKind::protocol,
              "a message has a dot alone on a line, and it cannot be told whether it ends there");
}

Task<void> Session::ask_capabilities() {
  co_await send(capa());
  co_await take_capabilities();
}

Task<void> Session::take_capabilities() {
  const StatusLine answer = co_await status(Reply::multi);
  capabilities = {};
  if (!answer.ok()) co_return;
  capabilities.known = true;
  co_await listing([this](std::string_view line) { capabilities.add(line); }, kMaxCapabilities);
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

}  // namespace postferry::pop3
