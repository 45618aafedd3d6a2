// A server made of a fuzzer's bytes: each read gives the next piece of them, and behind the last
// the stream ends. What the client says is heard and forgotten.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
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
#include "engine/source.h"
#include "engine/spool.h"

namespace postferry::fuzz {

inline void require(bool held) {
  if (!held) std::abort();
}

class OneSecret final : public Credentials {
 public:
  Task<Secret> secret() override { co_return Secret("secret"); }
};

class FuzzedStream final : public net::Stream {
 public:
  /// `piece`: most bytes of one read; 0: as many as there is room for.
  FuzzedStream(std::string_view bytes, std::size_t piece) : bytes_(bytes), piece_(piece) {}

  Task<std::size_t> read(std::span<char> into) override {
    co_await postferry::yield();
    std::size_t count = std::min(into.size(), bytes_.size());
    if (piece_ > 0) count = std::min(count, piece_);
    if (count > 0) std::memcpy(into.data(), bytes_.data(), count);
    bytes_.remove_prefix(count);
    co_return count;
  }
  Task<void> write(std::vector<std::string_view>) override { co_await postferry::yield(); }
  Task<void> start_tls(net::TlsOptions, std::size_t) override { co_return; }
  bool encrypted() const override { return true; }
  std::string channel_binding(std::string_view) const override { return {}; }
  Task<void> close() override { co_return; }

 private:
  std::string_view bytes_;
  std::size_t piece_;
};

/// Each message that was asked for must end in exactly one call, and a body have its length.
class CountingSink final : public MessageSink {
 public:
  explicit CountingSink(std::size_t wanted) : wanted_(wanted) {}

  Task<void> message(Message message) override {
    ++told_;
    // A streamed body is filled only after this returns: it is not waited for.
    if (message.body.streamed()) {
      message.body.pipe().close();
      co_return;
    }
    std::uint64_t size = 0;
    co_await message.body.write_to([&size](std::string_view bytes) -> Task<void> {
      size += bytes.size();
      co_return;
    });
    require(size == message.body.size_bytes());
  }
  Task<void> missing(MessageKey, bool, std::string) override {
    ++told_;
    co_return;
  }
  void check_complete() const { require(told_ == wanted_); }

 private:
  std::size_t wanted_;
  std::size_t told_ = 0;
};

/// Runs a session against the bytes. An Error is a good end; anything else that is thrown is not.
template <class Use>
void play(std::string_view bytes, std::size_t piece, Use use) {
  ManualExecutor executor;
  net::ScriptedNetwork network([&](net::ConnectOptions) -> Task<std::unique_ptr<net::Stream>> {
    co_return std::make_unique<FuzzedStream>(bytes, piece);
  });
  InlineBlocking blocking;
  const std::unique_ptr<SpoolFactory> spool = make_disk_spool(blocking, "/tmp");
  ConnectorContext context;
  context.network = &network;
  context.spool = spool.get();
  context.version = "0";
  try {
    block_on(executor, use(context));
  } catch (const Error& error) {
    require(std::string_view(error.what()).find('\x1b') == std::string_view::npos);
  }
}

}  // namespace postferry::fuzz
