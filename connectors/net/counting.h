// Counts what a program makes of a network: connections, bytes, round trips. For tests that hold a
// session to its number of round trips, and for benchmarks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "connectors/net/stream.h"

namespace postferry::net {

struct NetworkCounts {
  std::uint64_t connections = 0;  // that came about
  std::uint64_t bytes_read = 0;   // above TLS
  std::uint64_t bytes_written = 0;
  /// How often an answer was read after something had been said: a batch of pipelined commands and
  /// all of its answers are one. Handshakes are not counted.
  std::uint64_t round_trips = 0;
};

/// `inner` and the network itself outlive the streams.
class CountingNetwork final : public Network {
 public:
  explicit CountingNetwork(Network& inner) : inner_(inner) {}

  const NetworkCounts& counts() const { return counts_; }
  void reset() { counts_ = {}; }

  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override {
    std::unique_ptr<Stream> stream = co_await inner_.connect(std::move(options));
    ++counts_.connections;
    co_return std::make_unique<CountingStream>(std::move(stream), counts_);
  }

 private:
  class CountingStream final : public Stream {
   public:
    CountingStream(std::unique_ptr<Stream> inner, NetworkCounts& counts)
        : inner_(std::move(inner)), counts_(counts) {}

    Task<std::size_t> read(std::span<char> into) override {
      std::size_t count = co_await inner_->read(into);
      counts_.bytes_read += count;
      if (count > 0 && std::exchange(spoken_, false)) ++counts_.round_trips;
      co_return count;
    }

    Task<void> write(std::vector<std::string_view> pieces) override {
      std::uint64_t bytes = 0;
      for (std::string_view piece : pieces) bytes += piece.size();
      if (bytes > 0) spoken_ = true;
      co_await inner_->write(std::move(pieces));
      counts_.bytes_written += bytes;
    }

    Task<void> start_tls(TlsOptions options, std::size_t unread_bytes) override {
      return inner_->start_tls(std::move(options), unread_bytes);
    }
    bool encrypted() const override { return inner_->encrypted(); }
    std::string channel_binding(std::string_view type) const override {
      return inner_->channel_binding(type);
    }
    Task<void> close() override { return inner_->close(); }
    void mark_secret(bool secret) override { inner_->mark_secret(secret); }

   private:
    std::unique_ptr<Stream> inner_;
    NetworkCounts& counts_;
    bool spoken_ = false;
  };

  Network& inner_;
  NetworkCounts counts_;
};

}  // namespace postferry::net
