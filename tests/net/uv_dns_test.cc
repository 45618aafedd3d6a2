// Names, addresses, and the race for a connection (RFC 8305).
#include "connectors/net/uv_dns.h"

#include <catch2/catch.hpp>
#include <list>

#include "tests/net/client.h"
#include "tests/net/servers.h"

using namespace postferry;
using namespace postferry::net;
using namespace client;
using servers::Listener;
using servers::Server;
using std::chrono::milliseconds;

namespace {

Address address(const std::string& text, std::uint16_t port) {
  std::optional<Address> out = parse_address(text, port);
  if (!out) throw std::runtime_error("not an address: " + text);
  return *out;
}

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> out;
  for (const Address& each : addresses) out.push_back(each.to_string());
  return out;
}

/// A port that takes no connection and refuses none: its queue is full.
class DeadPort {
 public:
  DeadPort() : listener_(AF_INET, 0) {
    for (int i = 0; i < 8; ++i) {
      int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      Address target = address("127.0.0.1", listener_.port());
      [[maybe_unused]] int result = ::connect(fd, target.get(), target.length);
      fillers_.push_back(fd);
    }
  }
  ~DeadPort() {
    for (int fd : fillers_) ::close(fd);
  }
  std::uint16_t port() const { return listener_.port(); }

 private:
  Listener listener_;
  std::list<int> fillers_;
};

/// Nobody listens there.
std::uint16_t refused_port() { return Listener().port(); }

class FixedResolver final : public Resolver {
 public:
  explicit FixedResolver(std::vector<Address> addresses) : addresses_(std::move(addresses)) {}
  Task<std::vector<Address>> resolve(std::string, std::uint16_t) override { co_return addresses_; }

 private:
  std::vector<Address> addresses_;
};

/// Never answers.
class SilentResolver final : public Resolver {
 public:
  Task<std::vector<Address>> resolve(std::string, std::uint16_t) override {
    Completion<> never;
    co_await never.wait([&never] { never.set_cancelled(); });
    co_return std::vector<Address>();
  }
};

Task<std::string> connect_and_read(UvExecutor& loop, std::vector<Address> addresses,
                                   milliseconds stagger) {
  FixedResolver resolver(std::move(addresses));
  UvNetwork network(loop, &resolver, stagger);
  ConnectOptions options = to("many.example", 1);
  options.connect_limit = milliseconds(10'000);
  std::unique_ptr<Stream> stream = co_await network.connect(options);
  std::string text = co_await read_some(*stream);
  co_await stream->close();
  co_return text;
}

template <class T>
Task<std::string> cancel_at_once(Task<T> task) {
  std::string text;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(note_outcome(std::move(task), text));
    co_await yield();
    group.cancel();
    co_await group.join();
  });
  co_return text;
}

void greet(int fd) { servers::send_all(fd, "hello"); }

}  // namespace

TEST_CASE("address literals are read and shown") {
  CHECK(address("127.0.0.1", 1).to_string() == "127.0.0.1");
  CHECK(address("2001:DB8::1", 1).to_string() == "2001:db8::1");
  CHECK_FALSE(parse_address("localhost", 1));
  CHECK_FALSE(parse_address("127.1", 1));
  CHECK_FALSE(parse_address("", 1));
  CHECK_FALSE(parse_address("fe80::1%no-such-interface", 1));
}

TEST_CASE("families take turns, the first one's family begins") {
  std::vector<Address> sorted{address("::1", 1), address("::2", 1), address("::3", 1),
                              address("127.0.0.1", 1), address("127.0.0.2", 1)};
  CHECK(texts(interleave_families(sorted, 16)) ==
        std::vector<std::string>{"::1", "127.0.0.1", "::2", "127.0.0.2", "::3"});
  CHECK(texts(interleave_families({sorted[3], sorted[0]}, 16)) ==
        std::vector<std::string>{"127.0.0.1", "::1"});
  CHECK(texts(interleave_families({sorted[0], sorted[0], sorted[3]}, 16)) ==
        std::vector<std::string>{"::1", "127.0.0.1"});
  CHECK(texts(interleave_families(sorted, 2)) == std::vector<std::string>{"::1", "127.0.0.1"});
  CHECK(interleave_families({}, 16).empty());
}

TEST_CASE("localhost is looked up by the system") {
  World world;
  UvResolver resolver(world.loop);
  std::vector<Address> found = world.run(resolver.resolve("localhost", 993));
  CHECK_FALSE(found.empty());
}

TEST_CASE("a name that does not exist is unreachable, and named") {
  World world;
  std::string text = world.run(outcome(world.network.connect(to("no-such-host.invalid", 993))));
  CHECK_THAT(text, Catch::StartsWith("unreachable: no-such-host.invalid:993"));
  CHECK_THAT(text, Catch::Contains("look up"));
}

TEST_CASE("a look-up can be cancelled while it is under way") {
  World world;
  UvResolver resolver(world.loop);
  // The loop has had no turn between start and cancel, so the answer cannot have come.
  CHECK(world.run(cancel_at_once(resolver.resolve("localhost", 1))) == "cancelled");
}

TEST_CASE("a look-up that takes too long is unreachable") {
  UvExecutor loop;
  SilentResolver resolver;
  UvNetwork network(loop, &resolver);
  ConnectOptions options = to("slow.example", 993);
  options.connect_limit = milliseconds(5);
  std::string text = block_on(loop, outcome(network.connect(options)));
  CHECK_THAT(text, Catch::StartsWith("unreachable: slow.example:993"));
  CHECK_THAT(text, Catch::Contains("too long"));
}

TEST_CASE("IPv4 and IPv6 literals connect without a look-up") {
  World world;
  Server v4(greet);
  auto stream = world.connect(v4.port());
  CHECK(world.run(read_exactly(*stream, 5)) == "hello");
  Server v6(greet, AF_INET6);
  auto stream6 = world.connect(v6.port(), "::1");
  CHECK(world.run(read_exactly(*stream6, 5)) == "hello");
}

TEST_CASE("a dead first address costs the stagger, not the time limit") {
  UvExecutor loop;
  DeadPort dead;
  Server server(greet, AF_INET6);
  std::string text = block_on(
      loop,
      connect_and_read(loop, {address("127.0.0.1", dead.port()), address("::1", server.port())},
                       milliseconds(5)));
  CHECK(text == "hello");
}

TEST_CASE("a refused first address does not wait for the stagger") {
  UvExecutor loop;
  Server server(greet);
  // The stagger is longer than the test may take.
  std::string text = block_on(
      loop,
      with_timeout(std::chrono::seconds(60), connect_and_read(loop,
                                                              {address("127.0.0.1", refused_port()),
                                                               address("127.0.0.2", refused_port()),
                                                               address("127.0.0.1", server.port())},
                                                              milliseconds(3'600'000))));
  CHECK(text == "hello");
}

TEST_CASE("when every address fails each is named with its reason") {
  UvExecutor loop;
  DeadPort dead;
  FixedResolver resolver({address("127.0.0.1", dead.port()), address("::1", refused_port())});
  UvNetwork network(loop, &resolver, milliseconds(1));
  ConnectOptions options = to("many.example", 993);
  options.connect_limit = milliseconds(500);
  std::string text = block_on(loop, outcome(network.connect(options)));
  CHECK_THAT(text, Catch::StartsWith("unreachable: many.example:993"));
  CHECK_THAT(text, Catch::Contains("127.0.0.1: no answer"));
  CHECK_THAT(text, Catch::Contains("::1: Connection refused"));
}

TEST_CASE("a connect that waits can be cancelled") {
  UvExecutor loop;
  DeadPort dead;
  UvNetwork network(loop);
  CHECK(block_on(loop, cancel_when_waiting(network.connect(to("127.0.0.1", dead.port())))) ==
        "cancelled");
}

TEST_CASE("of many addresses that answer one connection is kept") {
  UvExecutor loop;
  Server one(greet);
  Server two(greet, AF_INET6);
  std::string text = block_on(
      loop, connect_and_read(loop, {address("127.0.0.1", one.port()), address("::1", two.port())},
                             milliseconds(0)));
  CHECK(text == "hello");
}
