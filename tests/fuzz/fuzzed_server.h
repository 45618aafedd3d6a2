// A server made of a fuzzer's bytes: each read gives the next piece of them. Three bytes stand for
// what a server knows and a fuzzer cannot guess:
//   \1  the tag of the oldest command that is not answered yet (IMAP)
//   \2  here TLS begins, where the client turns to it
//   \3  the connection ends; what follows is the next one's
// What else the client says is heard and forgotten, but for secrets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/net/memory_stream.h"
#include "connectors/registry.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/timeout.h"
#include "engine/error.h"
#include "engine/spool.h"
#include "tests/fuzz/require.h"

namespace postferry::fuzz {

class OneSecret final : public Credentials {
 public:
  Task<Secret> secret() override { co_return Secret("secret"); }
};

/// The first line of the input: which end, how it is reached, in what pieces bytes arrive, and a
/// letter for each call. Its letters may be anything.
struct Plan {
  char end = 0, way = 0;
  static constexpr std::size_t kAll = 63;
  std::size_t piece = 0;  // most bytes of one read; 0: a line, kAll: as many as there is room for
  std::string_view calls;
  std::string_view script;

  explicit Plan(std::string_view bytes) {
    constexpr std::size_t kMostCalls = 24;
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    script = bytes.substr(std::min(bytes.size(), line.size() + 1));
    if (line.size() < 3) return;
    end = line[0];
    way = line[1];
    piece = static_cast<unsigned char>(line[2] - '0') % 64;
    calls = line.substr(3, kMostCalls);
  }
};

/// What all connections of one run say, one after the other.
class FuzzedServer {
 public:
  FuzzedServer(std::string_view script, std::size_t piece) : rest_(script), piece_(piece) {}

  /// False when no connection is left.
  bool accept() {
    constexpr int kMostConnections = 6;
    if (++connections_ > kMostConnections) return false;
    tags_.clear();
    line_.clear();
    if (connections_ == 1) return true;
    const std::size_t end = rest_.find('\3');
    if (end == rest_.npos) return false;
    rest_.remove_prefix(end + 1);
    return true;
  }

  std::size_t say(std::span<char> into, bool in_clear) {
    if (rest_.empty() || rest_[0] == '\3' || (in_clear && rest_[0] == '\2')) return 0;
    if (rest_[0] == '\1' && !tags_.empty()) {
      std::string tag = std::move(tags_.front());
      tags_.pop_front();
      rest_.remove_prefix(1);
      const std::size_t count = std::min(tag.size(), into.size());
      std::memcpy(into.data(), tag.data(), count);
      return count;
    }
    const std::size_t end = std::min(rest_.size(), rest_.find_first_of("\1\2\3", 1));
    std::size_t count = std::min(into.size(), end);
    if (piece_ == 0) count = std::min(count, rest_.find('\n') + 1);
    if (piece_ > 0 && piece_ < Plan::kAll) count = std::min(count, piece_);
    std::memcpy(into.data(), rest_.data(), count);
    rest_.remove_prefix(count);
    return count;
  }

  /// Whether nothing in the clear is left behind the answer that let TLS begin.
  bool turn_to_tls() {
    if (rest_.empty() || rest_[0] != '\2') return false;
    rest_.remove_prefix(1);
    return true;
  }

  void hear(std::string_view bytes) {
    for (const char c : bytes) {
      if (c != '\n') {
        if (line_.size() < 32) line_ += c;
        continue;
      }
      const std::size_t digits = std::min(line_.size(), line_.find_first_not_of("0123456789", 1));
      if (line_.starts_with('A') && digits > 1 && digits < line_.size() && line_[digits] == ' ')
        tags_.push_back(line_.substr(0, digits));
      line_.clear();
    }
  }

 private:
  std::string_view rest_;
  const std::size_t piece_;
  int connections_ = 0;
  std::deque<std::string> tags_;
  std::string line_;  // what the client has begun to say
};

class FuzzedStream final : public net::Stream {
 public:
  FuzzedStream(FuzzedServer& server, bool encrypted, bool secrets_in_clear)
      : server_(server), encrypted_(encrypted), secrets_in_clear_(secrets_in_clear) {}

  Task<std::size_t> read(std::span<char> into) override {
    co_await postferry::yield();
    co_return server_.say(into, !encrypted_);
  }
  Task<void> write(std::vector<std::string_view> pieces) override {
    co_await postferry::yield();
    for (const std::string_view piece : pieces) {
      require(encrypted_ || secrets_in_clear_ || !piece.contains("secret"));
      server_.hear(piece);
    }
  }
  Task<void> start_tls(net::TlsOptions, std::size_t unread_bytes) override {
    require(!encrypted_);
    co_await postferry::yield();
    const bool alone = unread_bytes == 0 && server_.turn_to_tls();
    if (!alone) throw Error(ErrorKind::tls, "bytes came before TLS began");
    encrypted_ = true;
  }
  bool encrypted() const override { return encrypted_; }
  std::string channel_binding(std::string_view) const override { return {}; }
  Task<void> close() override { co_return; }
  void mark_secret(bool secret) override { require(!secret || encrypted_ || secrets_in_clear_); }

 private:
  FuzzedServer& server_;
  bool encrypted_;
  const bool secrets_in_clear_;
};

/// Runs `use` against the bytes. An Error is a good end; anything else that is thrown is not.
template <class Use>
void play(const Plan& plan, bool secrets_in_clear, Use use) {
  ManualExecutor executor;
  FuzzedServer server(plan.script, plan.piece);
  net::ScriptedNetwork network(
      [&](net::ConnectOptions options) -> Task<std::unique_ptr<net::Stream>> {
        if (!server.accept()) throw Error(ErrorKind::unreachable, "nobody listens");
        co_return std::make_unique<FuzzedStream>(server, options.tls.has_value(), secrets_in_clear);
      });
  InlineBlocking blocking;
  const std::unique_ptr<SpoolFactory> spool = make_disk_spool(blocking, "/tmp");
  ConnectorContext context;
  context.network = &network;
  context.spool = spool.get();
  context.blocking = &blocking;
  context.version = "0";
  try {
    block_on(executor, use(context));
  } catch (const Error& error) {
    require(std::string_view(error.what()).find('\x1b') == std::string_view::npos);
  }
}

}  // namespace postferry::fuzz
