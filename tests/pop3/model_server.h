// A POP3 server in memory: a maildrop, and sessions that see it as it was when they began. It
// speaks the protocol by the letter; servers that do not are scripted in dialogues.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "connectors/net/memory_stream.h"
#include "engine/async/executor.h"
#include "engine/async/task.h"
#include "engine/error.h"

namespace postferry::pop3::test {

class ModelServer {
 public:
  struct Stored {
    std::string uid;
    std::string bytes;
  };

  ModelServer(Executor& executor, net::PipeOptions pipe, std::string capabilities)
      : scope_(executor), pipe_(std::move(pipe)), capabilities_(std::move(capabilities)) {}

  void add(std::string bytes) {
    drop_.push_back({"uid-" + std::to_string(++last_), std::move(bytes)});
  }
  bool without_uidl = false;
  /// The line of the next connection breaks when the server has said so many bytes.
  void cut_after(std::size_t bytes) { cut_after_ = bytes; }
  void remove(std::size_t index) {
    drop_.erase(drop_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  /// The client's end of a new connection. The server's side runs as long as this object lives.
  std::unique_ptr<net::Stream> connect(bool encrypted) {
    net::PipeOptions options = pipe_;
    options.encrypted = encrypted;
    auto [client, server] = net::make_pipe(options);
    if (cut_after_) server->cut_after_writing(*std::exchange(cut_after_, std::nullopt));
    sessions_.push_back(serve(std::move(server), drop_).in(scope_));
    scope_.executor().post(sessions_.back().handle());
    return std::move(client);
  }

 private:
  Task<void> serve(std::unique_ptr<net::MemoryStream> stream, std::vector<Stored> drop) {
    try {
      co_await net::write_text(*stream, "+OK model ready\r\n");
      std::set<std::string> deleted;
      for (bool more = true; more;) {
        const std::string line = co_await net::read_line(*stream);
        more = line != "QUIT";
        if (line.starts_with("DELE ")) {
          deleted.insert(drop.at(std::stoul(line.substr(5)) - 1).uid);
          co_await net::write_text(*stream, "+OK\r\n");
          continue;
        }
        // It is QUIT that removes (RFC 1939 6).
        if (!more) std::erase_if(drop_, [&](const Stored& m) { return deleted.contains(m.uid); });
        co_await net::write_text(*stream, answer(line, drop));
      }
    } catch (const Error& gone) {
      // The client has left.
      (void)gone;
    }
  }

  static std::string multi(const std::string& lines) { return "+OK\r\n" + lines + ".\r\n"; }

  static std::string stuffed(const std::string& bytes) {
    std::string wire;
    bool at_start = true;
    for (const char c : bytes) {
      if (at_start && c == '.') wire += '.';
      wire += c;
      at_start = c == '\n';
    }
    return at_start ? wire : wire + "\r\n";
  }

  std::string answer(const std::string& line, const std::vector<Stored>& drop) const {
    std::istringstream words(line);
    std::string verb;
    std::optional<std::size_t> number;
    words >> verb;
    if (std::size_t given = 0; words >> given) number = given;
    const auto each = [&drop](auto describe) {
      std::string lines;
      for (std::size_t i = 0; i < drop.size(); ++i) {
        lines += std::to_string(i + 1) + " " + describe(drop[i]) + "\r\n";
      }
      return multi(lines);
    };
    const auto size = [](const Stored& message) { return std::to_string(message.bytes.size()); };
    if (number && (*number == 0 || *number > drop.size())) return "-ERR no such message\r\n";
    if (verb == "CAPA") return multi(capabilities_);
    if (verb == "USER" || verb == "PASS" || verb == "QUIT") return "+OK\r\n";
    if (verb == "STAT") return "+OK " + std::to_string(drop.size()) + " 0\r\n";
    if (verb == "LIST" && number)
      return "+OK " + line.substr(5) + " " + size(drop[*number - 1]) + "\r\n";
    if (verb == "LIST") return each(size);
    if (verb == "UIDL" && without_uidl) return "-ERR unknown command\r\n";
    if (verb == "UIDL") return each([](const Stored& message) { return message.uid; });
    if (verb == "RETR" && number) return multi(stuffed(drop[*number - 1].bytes));
    if (verb == "TOP" && number) {
      const std::string& bytes = drop[*number - 1].bytes;
      return multi(stuffed(bytes.substr(0, bytes.find("\r\n\r\n") + 4)));
    }
    return "-ERR what?\r\n";
  }

  Scope scope_;
  net::PipeOptions pipe_;
  std::string capabilities_;
  std::vector<Stored> drop_;
  int last_ = 0;
  std::optional<std::size_t> cut_after_;
  std::vector<Task<void>> sessions_;
};

}  // namespace postferry::pop3::test
