// Servers that mean harm: after a script they do whatever a test wants, for ever if need be, while
// the client has the limits that it has on a real line, in virtual time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "connectors/net/memory_stream.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/error.h"

namespace postferry::testing {

/// A client's end whose reads and writes end at the time limit, as those of a socket do.
class LimitedStream final : public net::Stream {
 public:
  LimitedStream(std::unique_ptr<net::Stream> inner, Duration limit)
      : inner_(std::move(inner)), limit_(limit) {}

  Task<std::size_t> read(std::span<char> into) override { return limited(inner_->read(into)); }
  Task<void> write(std::vector<std::string_view> pieces) override {
    return limited(inner_->write(std::move(pieces)));
  }
  Task<void> start_tls(net::TlsOptions options, std::size_t unread_bytes) override {
    return inner_->start_tls(std::move(options), unread_bytes);
  }
  bool encrypted() const override { return inner_->encrypted(); }
  std::string channel_binding(std::string_view type) const override {
    return inner_->channel_binding(type);
  }
  Task<void> close() override { return inner_->close(); }

 private:
  template <class T>
  Task<T> limited(Task<T> task) {
    try {
      co_return co_await with_timeout(limit_, std::move(task));
    } catch (const TimedOut&) {
    }
    throw Error(ErrorKind::transient, "the server is silent");
  }

  std::unique_ptr<net::Stream> inner_;
  Duration limit_;
};

struct Attack {
  std::optional<Error> error;
  std::chrono::seconds took{};
};

using Server = std::function<Task<void>(net::Stream&)>;
using Client = std::function<Task<void>(net::Network&)>;

/// Plays `server` against `client`, which connects once. The server ends when its line does.
inline Attack attack(const Server& server, const Client& client, bool encrypted = true) {
  Attack result;
  ManualExecutor executor;
  const auto serve = [](const Server& server, std::unique_ptr<net::Stream> line) -> Task<void> {
    try {
      co_await server(*line);
    } catch (const Error& gone) {
      (void)gone;  // the client has had enough
    }
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             net::ScriptedNetwork network(
                 [&](net::ConnectOptions options) -> Task<std::unique_ptr<net::Stream>> {
                   net::PipeOptions pipe;
                   pipe.encrypted = encrypted;
                   auto [ours, theirs] = net::make_pipe(pipe);
                   group.spawn(serve(server, std::move(theirs)));
                   co_return std::make_unique<LimitedStream>(std::move(ours), options.io_limit);
                 });
             const TimePoint begun = executor.now();
             try {
               co_await client(network);
             } catch (const Error& thrown) {
               result.error = thrown;
             }
             result.took = std::chrono::duration_cast<std::chrono::seconds>(executor.now() - begun);
             group.cancel();
           }));
  return result;
}

/// Says `piece` again and again.
inline Task<void> say_for_ever(net::Stream& stream, std::string piece, Duration pause = {}) {
  for (;;) {
    co_await net::write_text(stream, piece);
    if (pause > Duration::zero()) co_await sleep_for(pause);
  }
}

inline Task<void> stay_silent() { co_await sleep_for(std::chrono::hours(10'000)); }

}  // namespace postferry::testing
