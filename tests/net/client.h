// What the tests of the network do as clients: a loop, and tasks whose end is a text.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "connectors/net/memory_stream.h"
#include "connectors/net/uv_network.h"
#include "engine/async/block_on.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/error.h"

namespace client {

using postferry::Task;

/// What a task threw, as "kind: text"; "done" when it threw nothing.
template <class T>
Task<std::string> outcome(Task<T> task) {
  std::string text = "done";
  try {
    co_await std::move(task);
  } catch (const postferry::Error& error) {
    text = std::string(postferry::to_string(error.kind())) + ": " + error.what();
  } catch (const postferry::Cancelled&) {
    text = "cancelled";
  } catch (const postferry::TimedOut&) {
    text = "timed out";
  }
  co_return text;
}

inline Task<std::string> read_some(postferry::net::Stream& stream) {
  char buffer[1000];
  std::size_t n = co_await stream.read(buffer);
  co_return std::string(buffer, n);
}

inline Task<std::string> read_to_end(postferry::net::Stream& stream) {
  std::string out;
  std::string buffer(100'000, '\0');
  while (true) {
    std::size_t n = co_await stream.read(buffer);
    if (n == 0) break;
    out.append(buffer, 0, n);
  }
  co_return out;
}

template <class T>
Task<void> note_outcome(Task<T> task, std::string& text) {
  text = co_await outcome(std::move(task));
}

/// Cancels `task` once it waits, and says how it ended.
template <class T>
Task<std::string> cancel_when_waiting(Task<T> task) {
  std::string text;
  co_await postferry::with_group([&](postferry::TaskGroup& group) -> Task<void> {
    group.spawn(note_outcome(std::move(task), text));
    for (int i = 0; i < 3; ++i) co_await postferry::yield();
    group.cancel();
    co_await group.join();
  });
  co_return text;
}

inline postferry::net::ConnectOptions to(std::string host, std::uint16_t port) {
  postferry::net::ConnectOptions options;
  options.host = std::move(host);
  options.port = port;
  return options;
}

/// A loop with a network on it.
struct World {
  postferry::net::UvExecutor loop;
  postferry::net::UvNetwork network{loop};

  template <class T>
  T run(Task<T> task) {
    return postferry::block_on(loop, std::move(task));
  }
  std::unique_ptr<postferry::net::Stream> connect(std::uint16_t port,
                                                  const std::string& host = "127.0.0.1") {
    return run(network.connect(to(host, port)));
  }
};

}  // namespace client
