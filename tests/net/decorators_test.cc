// Networks around a network: what they count, pace and keep out.
#include <catch2/catch.hpp>

#include "connectors/net/limited.h"
#include "connectors/net/memory_stream.h"
#include "connectors/net/metered.h"
#include "connectors/net/paced.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::net;

namespace {

/// Answers every connection with a stream whose other end the test holds.
struct Servers {
  ScriptedNetwork network{[this](const ConnectOptions&) -> Task<std::unique_ptr<Stream>> {
    if (down) throw Error(ErrorKind::unreachable, "nobody there");
    auto [ours, theirs] = make_pipe(PipeOptions{1 << 20});
    ends.push_back(std::move(theirs));
    co_return std::move(ours);
  }};
  std::vector<std::unique_ptr<MemoryStream>> ends;
  bool down = false;
};

ConnectOptions to(const char* host) {
  ConnectOptions options;
  options.host = host;
  return options;
}

Task<std::unique_ptr<Stream>> dial(Network& network, const char* host) {
  co_return co_await network.connect(to(host));
}

/// Null: refused, as a limit refuses.
std::unique_ptr<Stream> try_to(ManualExecutor& executor, Network& network, const char* host) {
  try {
    return block_on(executor, dial(network, host));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::throttled);
    return nullptr;
  }
}

Task<void> read_bytes(Stream& stream, std::size_t count) {
  char buffer[4096];
  while (count > 0)
    count -= co_await stream.read(std::span(buffer).first(std::min(count, sizeof buffer)));
}

}  // namespace

TEST_CASE("a metered network tells what goes over its lines, each way") {
  ManualExecutor executor;
  Servers servers;
  std::uint64_t down = 0, up = 0;
  MeteredNetwork network(servers.network, {[&](std::uint64_t bytes) { down += bytes; },
                                           [&](std::uint64_t bytes) { up += bytes; }});
  const auto stream = block_on(executor, dial(network, "a"));
  block_on(executor, [&]() -> Task<void> {
    co_await write_text(*stream, "hello");
    co_await write_text(*servers.ends[0], "good day");
    co_await read_bytes(*stream, 8);
  }());
  CHECK(up == 5);
  CHECK(down == 8);
}

TEST_CASE("an account has its own berth, and others while they are to be had") {
  ManualExecutor executor;
  Servers servers;
  Berths berths(3);
  LimitedNetwork ann(servers.network, berths, *berths.take({"a"}));
  LimitedNetwork bob(servers.network, berths, *berths.take({"a"}));
  auto first = try_to(executor, ann, "a");
  auto second = try_to(executor, ann, "a");
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(try_to(executor, ann, "a"));
  // Ann's sessions, however many, leave bob his.
  auto bobs = try_to(executor, bob, "a");
  CHECK(bobs);
  CHECK_FALSE(try_to(executor, bob, "a"));
  second.reset();
  CHECK(try_to(executor, bob, "a"));
}

TEST_CASE("a connection that could not be made gives its berth back") {
  ManualExecutor executor;
  Servers servers;
  Berths berths(2);
  LimitedNetwork network(servers.network, berths, *berths.take({"a"}));
  servers.down = true;
  for (int i = 0; i < 5; ++i)
    CHECK_THROWS_WITH(block_on(executor, dial(network, "a")), Catch::Contains("nobody there"));
  servers.down = false;
  const auto first = try_to(executor, network, "a"), second = try_to(executor, network, "a");
  CHECK(first);
  CHECK(second);
}

TEST_CASE("a pace by host holds for each host, and the slower of two paces counts") {
  ManualExecutor executor;
  Servers servers;
  PaceOptions options;
  options.bytes_per_second = 10'000;
  options.host_bytes_per_second = 1'000;
  Paces paces(options);
  PacedNetwork network(servers.network, paces);
  const auto seconds_for = [&](const char* host, int count) {
    const TimePoint begun = executor.now();
    block_on(executor, [&]() -> Task<void> {
      const std::unique_ptr<Stream> stream = co_await dial(network, host);
      for (int i = 0; i < count; ++i) co_await write_text(*stream, std::string(500, 'x'));
    }());
    return std::chrono::duration<double>(executor.now() - begun).count();
  };
  CHECK(seconds_for("a", 5) == Approx(2));  // the first goes at once
  CHECK(seconds_for("b", 1) == Approx(0).margin(0.3));
}

TEST_CASE("an account with many connections gets no more of the line than one with one") {
  ManualExecutor executor;
  Servers servers;
  PaceOptions options;
  options.bytes_per_second = 10'000;
  Paces paces(options);
  PacedNetwork greedy(servers.network, paces), modest(servers.network, paces);
  std::size_t by_greedy = 0, by_modest = 0;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             const auto write = [&](Network& network, std::size_t& count) -> Task<void> {
               const std::unique_ptr<Stream> stream = co_await dial(network, "a");
               for (;;) {
                 co_await write_text(*stream, std::string(100, 'x'));
                 count += 100;
               }
             };
             for (int i = 0; i < 7; ++i)
               group.spawn([&]() -> Task<void> { return write(greedy, by_greedy); });
             group.spawn([&]() -> Task<void> { return write(modest, by_modest); });
             co_await sleep_for(std::chrono::seconds(10));
             group.cancel();
           }));
  CHECK(by_greedy + by_modest > 90'000);
  CHECK(static_cast<double>(by_modest) / static_cast<double>(by_greedy) == Approx(1).margin(0.1));
}
