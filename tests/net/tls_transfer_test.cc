// Much data through TLS: in pieces of every size, in both directions at once, and with peers that
// are slow to take it.
#include <catch2/catch.hpp>

#include "tests/net/client.h"
#include "tests/net/servers.h"

using namespace postferry;
using namespace postferry::net;
using namespace client;
using servers::Certificate;
using servers::Server;
using servers::Silence;
using servers::Tls;
using std::chrono::milliseconds;

namespace {

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
  return out;
}

ConnectOptions secure(std::uint16_t port) {
  ConnectOptions options = to("localhost", port);
  options.tls.emplace();
  options.tls->verify = false;
  return options;
}

/// Pieces of 0, 1, 2, ... bytes and now and then one of several records.
Task<void> write_mixed(Stream& stream, const std::string& text) {
  std::string_view rest = text;
  std::size_t size = 0;
  while (!rest.empty()) {
    std::vector<std::string_view> pieces;
    for (int i = 0; i < 50 && !rest.empty(); ++i) {
      pieces.push_back(rest.substr(0, i % 17 == 16 ? 40'000 : size++ % 5'000));
      rest.remove_prefix(pieces.back().size());
    }
    co_await stream.write(std::move(pieces));
  }
}

Task<std::string> send_and_receive(Stream& stream, const std::string& text) {
  std::string got;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(write_mixed(stream, text));
    got = co_await read_exactly(stream, text.size());
    co_await group.join();
  });
  co_return got;
}

}  // namespace

TEST_CASE("pieces of all sizes arrive through TLS as if they had been joined") {
  Certificate certificate;
  std::string text = pattern(3 << 20);
  std::string heard;
  World world;
  {
    Server server([&](int fd) {
      Tls side(fd, certificate);
      heard = side.receive();
    });
    auto stream = world.run(world.network.connect(secure(server.port())));
    world.run(write_mixed(*stream, text));
    world.run(stream->close());
  }
  CHECK((heard == text));
}

TEST_CASE("TLS carries much in both directions at once") {
  Certificate certificate;
  std::string text = pattern(4'000'000);
  World world;
  // What it hears it says again; more than the sockets hold, so both sides wait for each other.
  Server server([&](int fd) {
    Tls side(fd, certificate);
    while (true) {
      std::string chunk = side.receive(10'000);
      if (chunk.empty()) return;
      side.send(chunk);
    }
  });
  auto stream = world.run(world.network.connect(secure(server.port())));
  std::string got = world.run(send_and_receive(*stream, text));
  world.run(stream->close());
  CHECK((got == text));
}

TEST_CASE("reads of one byte take records apart") {
  Certificate certificate;
  std::string text = pattern(5'000);
  World world;
  Server server([&](int fd) {
    Tls side(fd, certificate);
    side.send(text);
    side.close_notify();
  });
  auto stream = world.run(world.network.connect(secure(server.port())));
  std::string got;
  while (true) {
    char byte = 0;
    std::size_t n = world.run(stream->read(std::span(&byte, 1)));
    if (n == 0) break;
    got += byte;
  }
  world.run(stream->close());
  CHECK((got == text));
}

TEST_CASE("a TLS write that waits can be cancelled, and the time limit ends one") {
  Certificate certificate;
  std::string text(32 << 20, 'x');
  World world;
  Silence silence;
  Server server([&](int fd) {
    Tls side(fd, certificate);
    silence.wait();
  });
  ConnectOptions options = secure(server.port());
  std::string end;
  SECTION("cancel") {
    auto stream = world.run(world.network.connect(options));
    end = world.run(outcome(with_timeout(milliseconds(200), write_mixed(*stream, text))));
    world.run(stream->close());
    CHECK(end == "timed out");
  }
  SECTION("limit") {
    options.io_limit = milliseconds(1000);
    auto stream = world.run(world.network.connect(options));
    end = world.run(outcome(write_mixed(*stream, text)));
    world.run(stream->close());
    CHECK_THAT(end, Catch::StartsWith("transient: ") && Catch::Contains("in time"));
  }
  silence.end();
}
