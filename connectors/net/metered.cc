#include "connectors/net/metered.h"

#include <utility>

#include "connectors/net/wrapped_stream.h"

namespace postferry::net {
namespace {

class MeteredStream final : public WrappedStream {
 public:
  MeteredStream(std::unique_ptr<Stream> stream, const Meters& meters)
      : WrappedStream(std::move(stream)), meters_(meters) {}

  Task<std::size_t> read(std::span<char> into) override {
    const std::size_t count = co_await inner().read(into);
    if (meters_.down) meters_.down(count);
    co_return count;
  }

  Task<void> write(std::vector<std::string_view> pieces) override {
    std::uint64_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    if (meters_.up) meters_.up(bytes);
    co_await inner().write(std::move(pieces));
  }

 private:
  const Meters& meters_;
};

}  // namespace

MeteredNetwork::MeteredNetwork(Network& inner, Meters meters)
    : inner_(inner), meters_(std::move(meters)) {}

Task<std::unique_ptr<Stream>> MeteredNetwork::connect(ConnectOptions options) {
  std::unique_ptr<Stream> stream = co_await inner_.connect(std::move(options));
  co_return std::make_unique<MeteredStream>(std::move(stream), meters_);
}

}  // namespace postferry::net
