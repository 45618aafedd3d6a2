// Dialogues: what the server says, what the client must say, line by line, on a stream in memory.
// Each is played twice, the second time with every byte the client reads arriving alone.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "connectors/imap/login.h"
#include "connectors/imap/party.h"
#include "connectors/imap/selected.h"
#include "connectors/imap/session.h"
#include "connectors/net/memory_stream.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry::imap::testing {

/// The client said something else than it had to.
struct WrongLine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Dialogue {
 public:
  /// The server says this line.
  Dialogue& s(std::string line) { return add(Step::Kind::say, std::move(line) + "\r\n"); }
  /// The server sends these bytes.
  Dialogue& raw(std::string bytes) { return add(Step::Kind::say, std::move(bytes)); }
  /// The client must say this line.
  Dialogue& c(std::string line) { return add(Step::Kind::hear, std::move(line) + "\r\n"); }
  /// The client must say a line that begins so.
  Dialogue& c_starts(std::string start) { return add(Step::Kind::hear_start, std::move(start)); }
  /// The client must send these bytes.
  Dialogue& bytes(std::string text) { return add(Step::Kind::hear, std::move(text)); }
  /// The server's end turns to TLS.
  Dialogue& tls() { return add(Step::Kind::tls, {}); }
  /// The server lets so much time go by.
  Dialogue& pause(Duration time) {
    add(Step::Kind::pause, {});
    steps_.back().time = time;
    return *this;
  }
  /// All that another dialogue has.
  Dialogue& then(const Dialogue& other) {
    steps_.insert(steps_.end(), other.steps_.begin(), other.steps_.end());
    return *this;
  }
  /// The server closes the connection.
  Dialogue& hangs_up() { return add(Step::Kind::hang_up, {}); }

  Task<void> play(std::unique_ptr<net::Stream> stream) const {
    const bool over = co_await play_on(*stream);
    if (over) co_return;
    // Whatever follows was not in the script.
    const std::string more = co_await net::read_exactly(*stream, 1);
    if (!more.empty()) throw WrongLine("the client said more than it had to: " + more + "...");
  }

  /// The script alone, on a server's end that goes on. True when the server hangs up.
  Task<bool> play_on(net::Stream& stream) const {
    for (const Step& step : steps_) {
      if (step.kind == Step::Kind::say) {
        co_await net::write_text(stream, step.text);
      } else if (step.kind == Step::Kind::tls) {
        co_await stream.start_tls({}, 0);
      } else if (step.kind == Step::Kind::pause) {
        co_await sleep_for(step.time);
      } else if (step.kind == Step::Kind::hang_up) {
        co_return true;
      } else {
        const std::string heard = co_await net::read_exactly(stream, step.text.size());
        if (heard != step.text) {
          throw WrongLine(
              fmt::format("the client had to say\n  {}\nbut said\n  {}", step.text, heard));
        }
        if (step.kind == Step::Kind::hear_start) co_await net::read_line(stream);
      }
    }
    co_return false;
  }

 private:
  struct Step {
    enum class Kind { say, hear, hear_start, tls, pause, hang_up };
    Kind kind;
    std::string text;
    Duration time{};
  };
  Dialogue& add(Step::Kind kind, std::string text) {
    steps_.push_back({kind, std::move(text)});
    return *this;
  }

  std::vector<Step> steps_;
};

using Client = std::function<Task<void>(std::unique_ptr<net::Stream>)>;

/// Plays the dialogue against the client, in both cuts. The client ends when its stream does.
inline void converse(const Dialogue& dialogue, const Client& client, bool encrypted = true,
                     const std::string& channel_binding = {}) {
  for (const std::size_t chunk : {std::numeric_limits<std::size_t>::max(), std::size_t{1}}) {
    ManualExecutor executor;
    net::PipeOptions options;
    options.read_chunk = chunk;
    options.encrypted = encrypted;
    options.channel_binding = channel_binding;
    options.capacity = 1 << 20;
    auto [ours, theirs] = net::make_pipe(options);
    block_on(executor, with_group([&, mine = std::move(ours), other = std::move(theirs)](
                                      TaskGroup& group) mutable -> Task<void> {
               group.spawn(dialogue.play(std::move(other)));
               group.spawn(client(std::move(mine)));
               co_await group.join();
             }));
  }
}

/// A client that is logged in already: `talk` gets the session.
inline Client logged_in(std::vector<std::string> capabilities,
                        std::function<Task<void>(Session&)> talk) {
  return [capabilities = std::move(capabilities),
          talk = std::move(talk)](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Session session(std::move(stream), "target imaps://ann@new.example");
    session.capabilities = Capabilities(capabilities);
    co_await talk(session);
  };
}

inline Selected folder_selected(std::string wire = "INBOX", std::uint32_t uid_validity = 7) {
  Selected folder;
  folder.name = FolderName::parse(wire);
  folder.wire = std::move(wire);
  folder.numbers.uid_validity = uid_validity;
  return folder;
}

/// A client alone on its line, with the folder `wire` open.
inline Client in_open_folder(std::function<Task<void>(Party&)> talk,
                             const std::string& wire = "INBOX") {
  return [talk = std::move(talk), wire](std::unique_ptr<net::Stream> stream) -> Task<void> {
    auto session = std::make_unique<Session>(std::move(stream), "target imaps://ann@new.example");
    Party party(std::make_shared<Line>(std::move(session)), Access::read, folder_selected(wire));
    co_await talk(party);
  };
}

/// The error that the task ends with; std::logic_error if it succeeds.
inline Task<Error> failure_of(Task<void> task) {
  try {
    co_await std::move(task);
  } catch (const Error& error) {
    co_return error;
  }
  throw std::logic_error("an error was expected");
}

template <class T>
Task<void> drop_value(Task<T> task) {
  co_await std::move(task);
}

}  // namespace postferry::imap::testing
