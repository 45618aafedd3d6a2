#include "connectors/net/paced.h"

#include <algorithm>
#include <utility>

#include "connectors/net/wrapped_stream.h"

namespace postferry::net {
namespace {

Task<void> take_turn(Semaphore& turns, const std::vector<Pace*>& paces, double bytes) {
  const Permit turn = co_await turns.acquire_permit();
  for (Pace* pace : paces) co_await pace->take(bytes);
}

/// Reads are cut so that no wait after one is long.
class PacedStream final : public WrappedStream {
 public:
  PacedStream(std::unique_ptr<Stream> stream, Semaphore& reading, Semaphore& writing,
              std::vector<Pace*> read, std::vector<Pace*> written)
      : WrappedStream(std::move(stream)),
        reading_(reading),
        writing_(writing),
        read_(std::move(read)),
        written_(std::move(written)),
        most_(static_cast<std::size_t>(
            std::clamp(read_.front()->per_second() / 4, 256.0, 1048576.0))) {}

  Task<std::size_t> read(std::span<char> into) override {
    const std::size_t count = co_await inner().read(into.first(std::min(into.size(), most_)));
    co_await take_turn(reading_, read_, static_cast<double>(count));
    co_return count;
  }

  Task<void> write(std::vector<std::string_view> pieces) override {
    std::uint64_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    co_await take_turn(writing_, written_, static_cast<double>(bytes));
    co_await inner().write(std::move(pieces));
  }

 private:
  Semaphore &reading_, &writing_;
  std::vector<Pace*> read_, written_;
  std::size_t most_;
};

}  // namespace

Paces::Paces(PaceOptions options) : options_(options) {
  if (!options_.bytes_per_second) return;
  read_.emplace(static_cast<double>(*options_.bytes_per_second));
  written_.emplace(static_cast<double>(*options_.bytes_per_second));
}

std::vector<Pace*> Paces::reading(const std::string& host) {
  return of_bytes(read_, read_by_host_, host);
}

std::vector<Pace*> Paces::writing(const std::string& host) {
  return of_bytes(written_, written_by_host_, host);
}

std::vector<Pace*> Paces::of_bytes(std::optional<Pace>& all, std::map<std::string, Pace>& hosts,
                                   const std::string& host) {
  std::vector<Pace*> paces;
  if (all) paces.push_back(&*all);
  if (options_.host_bytes_per_second) {
    const auto bytes = static_cast<double>(*options_.host_bytes_per_second);
    paces.push_back(&hosts.try_emplace(host, bytes).first->second);
  }
  std::ranges::sort(paces, {}, &Pace::per_second);
  return paces;
}

Pace* Paces::connecting(const std::string& host) {
  if (!options_.connections_per_second) return nullptr;
  return &connections_.try_emplace(host, *options_.connections_per_second).first->second;
}

Task<std::unique_ptr<Stream>> PacedNetwork::connect(ConnectOptions options) {
  const std::string host = options.host;
  if (Pace* pace = paces_.connecting(host)) co_await pace->take(1);
  std::unique_ptr<Stream> stream = co_await inner_.connect(std::move(options));
  std::vector<Pace*> read = paces_.reading(host);
  if (read.empty()) co_return stream;
  co_return std::make_unique<PacedStream>(std::move(stream), reading_, writing_, std::move(read),
                                          paces_.writing(host));
}

}  // namespace postferry::net
