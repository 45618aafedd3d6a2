// Dialogues with a POP3 server that exists only on paper: a script says what the server says, and
// what the client must say, line by line. Nothing here knows how the connector works.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/net/memory_stream.h"
#include "connectors/pop3/source.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/error.h"
#include "engine/spool.h"

namespace postferry::pop3::test {

/// The client's end of a line, which keeps what the client wrote, one entry a write, with
/// `<secret>` where that was marked.
class Recorder final : public net::Stream {
 public:
  Recorder(std::unique_ptr<net::Stream> inner, std::vector<std::string>& writes)
      : inner_(std::move(inner)), writes_(writes) {}

  Task<std::size_t> read(std::span<char> into) override { return inner_->read(into); }
  Task<void> write(std::vector<std::string_view> pieces) override {
    std::string text;
    for (const std::string_view piece : pieces) text += piece;
    writes_.push_back(secret_ ? "<secret>" : std::move(text));
    return inner_->write(std::move(pieces));
  }
  Task<void> start_tls(net::TlsOptions options, std::size_t unread_bytes) override {
    return inner_->start_tls(std::move(options), unread_bytes);
  }
  bool encrypted() const override { return inner_->encrypted(); }
  std::string channel_binding(std::string_view type) const override {
    return inner_->channel_binding(type);
  }
  Task<void> close() override { return inner_->close(); }
  void mark_secret(bool secret) override { secret_ = secret; }

 private:
  std::unique_ptr<net::Stream> inner_;
  std::vector<std::string>& writes_;
  bool secret_ = false;
};

/// Gives its secrets in turn, the last one for ever.
class Secrets final : public Credentials {
 public:
  explicit Secrets(std::vector<std::string> values) : values_(std::move(values)) {}
  Task<Secret> secret() override {
    const std::string value = values_[std::min(asked_, values_.size() - 1)];
    ++asked_;
    co_return Secret(value);
  }
  std::size_t asked() const { return asked_; }

 private:
  std::vector<std::string> values_;
  std::size_t asked_ = 0;
};

/// What a sink was given, bodies read whole.
struct Received {
  std::string key;
  std::string bytes;
  Flags flags;
  std::optional<InternalDate> date;
  bool held = true;
};
struct Missing {
  std::string key;
  bool gone = false;
  std::string reason;
};

class Collector final : public MessageSink {
 public:
  Task<void> message(Message message) override {
    Received received{message.key.uidl(), {}, message.flags, message.date, message.body.held()};
    std::string bytes;
    co_await message.body.write_to([&bytes](std::string_view part) -> Task<void> {
      bytes += part;
      co_return;
    });
    received.bytes = std::move(bytes);
    received_size_matches =
        received_size_matches && received.bytes.size() == message.body.size_bytes();
    messages.push_back(std::move(received));
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    missed.push_back({key.uidl(), gone, std::move(reason)});
    co_return;
  }

  void crawling() override { ++crawls; }

  std::vector<Received> messages;
  std::vector<Missing> missed;
  bool received_size_matches = true;
  int crawls = 0;
};

/// One script a connection. Lines of a script begin with
///   `S: `  the server says the rest of the line and CRLF (`\n`, `\r` and `\\` in it are escapes; a
///          last `\c` leaves the CRLF out)
///   `C: `  the client must say exactly the rest of the line
///   `TLS`  the server turns to TLS
///   `WAIT` and a number: the server lets so many seconds go by
///   `CUT`  the line breaks; what is under way is lost
/// and when the script ends the server closes. Lines of S that follow one another go out together.
class Dialogue {
 public:
  explicit Dialogue(std::vector<std::string> scripts);

  net::PipeOptions pipe;
  Secrets secrets{{"pa$$word"}};
  std::vector<std::string> writes;    // by the client, as a transcript would show them
  std::vector<std::string> problems;  // where the client left the script
  bool strict = true;                 // a problem fails the test

  /// Runs `client` against the scripts. What it throws leaves through here.
  void run(const std::string& url, std::function<Task<void>(Source&)> client);
  /// As run(), with the session that a successful login yields.
  void run_session(const std::string& url, std::function<Task<void>(SourceSession&)> client);
  /// The Error that run() must end in.
  Error failure(const std::string& url, std::function<Task<void>(Source&)> client = {});
  Error session_failure(const std::string& url, std::function<Task<void>(SourceSession&)> client);

 private:
  Task<std::unique_ptr<net::Stream>> accept(TaskGroup& group, net::ConnectOptions options);
  Task<void> serve(std::unique_ptr<net::MemoryStream> stream, std::string script);
  Task<void> all(TaskGroup& group, const std::string& url,
                 const std::function<Task<void>(Source&)>& client);

  std::deque<std::string> scripts_;
};

/// A login with everything implicit TLS needs, before the script that matters.
std::string logged_in(std::string_view capabilities, std::string_view script);

}  // namespace postferry::pop3::test
