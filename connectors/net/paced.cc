#include "connectors/net/paced.h"

#include <algorithm>
#include <utility>

namespace postferry::net {
namespace {

/// Reads are cut so that no wait after one is long.
class PacedStream final : public Stream {
 public:
  PacedStream(std::unique_ptr<Stream> inner, Pace& read, Pace& written, std::size_t most)
      : inner_(std::move(inner)), read_(read), written_(written), most_(most) {}

  Task<std::size_t> read(std::span<char> into) override {
    const std::size_t count = co_await inner_->read(into.first(std::min(into.size(), most_)));
    co_await read_.take(static_cast<double>(count));
    co_return count;
  }

  Task<void> write(std::vector<std::string_view> pieces) override {
    std::uint64_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    co_await written_.take(static_cast<double>(bytes));
    co_await inner_->write(std::move(pieces));
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
  Pace &read_, &written_;
  std::size_t most_;
};

std::size_t most_at_once(std::uint64_t bytes_per_second) {
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(bytes_per_second / 4, 256, 1 << 20));
}

}  // namespace

PacedNetwork::PacedNetwork(Network& inner, PaceOptions options)
    : inner_(inner), options_(std::move(options)) {
  if (!options_.bytes_per_second) return;
  read_.emplace(static_cast<double>(*options_.bytes_per_second));
  written_.emplace(static_cast<double>(*options_.bytes_per_second));
}

Task<std::unique_ptr<Stream>> PacedNetwork::connect(ConnectOptions options) {
  if (options_.connections_per_second) {
    const auto at = connections_.try_emplace(options.host, *options_.connections_per_second).first;
    co_await at->second.take(1);
  }
  std::unique_ptr<Stream> stream = co_await inner_.connect(std::move(options));
  if (!read_) co_return stream;
  co_return std::make_unique<PacedStream>(std::move(stream), *read_, *written_,
                                          most_at_once(*options_.bytes_per_second));
}

}  // namespace postferry::net
