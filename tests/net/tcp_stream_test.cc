// Streams over real sockets, in the clear.
#include <catch2/catch.hpp>

#include "tests/net/client.h"
#include "tests/net/servers.h"

using namespace postferry;
using namespace postferry::net;
using namespace client;
using servers::Server;
using servers::Silence;
using std::chrono::milliseconds;

namespace {

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
  return out;
}

Task<void> write_pieces(Stream& stream, const std::string& text, std::size_t piece) {
  std::string_view rest = text;
  std::vector<std::string_view> pieces;
  while (!rest.empty()) {
    pieces.push_back(rest.substr(0, piece));
    rest.remove_prefix(pieces.back().size());
  }
  co_await stream.write(std::move(pieces));
}

Task<std::string> send_and_receive(Stream& stream, const std::string& text, std::size_t expected) {
  std::string got;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(write_pieces(stream, text, 777'777));
    got = co_await read_exactly(stream, expected);
    co_await group.join();
  });
  co_return got;
}

Task<std::string> close_while_reading(Stream& stream) {
  std::string text;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(note_outcome(read_some(stream), text));
    co_await yield();
    co_await stream.close();
    co_await group.join();
  });
  co_return text;
}

}  // namespace

TEST_CASE("bytes go both ways, and the peer's end is read as 0") {
  std::string heard;
  World world;
  {
    Server server([&heard](int fd) {
      servers::send_all(fd, "* OK ready\r\n");
      heard = servers::receive(fd, 6);
    });
    auto stream = world.connect(server.port());
    CHECK(world.run(read_line(*stream)) == "* OK ready");
    std::vector<std::string_view> pieces;
    pieces.emplace_back("NO");
    pieces.emplace_back("");
    pieces.emplace_back("OP\r\n");
    world.run(stream->write(std::move(pieces)));
    CHECK(world.run(read_some(*stream)).empty());
    CHECK(world.run(read_some(*stream)).empty());
    CHECK_FALSE(stream->encrypted());
    CHECK(stream->channel_binding("tls-exporter").empty());
    world.run(stream->close());
  }
  CHECK(heard == "NOOP\r\n");
}

TEST_CASE("a write of a thousand small pieces arrives whole") {
  std::string text = pattern(10'000);
  std::string heard;
  World world;
  {
    Server server([&heard](int fd) { heard = servers::receive(fd); });
    auto stream = world.connect(server.port());
    world.run(write_pieces(*stream, text, 10));
    world.run(stream->close());
  }
  CHECK((heard == text));
}

TEST_CASE("large transfers in both directions at once arrive whole") {
  std::string text = pattern(8 << 20);
  std::string heard;
  World world;
  Server server([&](int fd) {
    std::thread sender([&] { servers::send_all(fd, text); });
    heard = servers::receive(fd, text.size());
    sender.join();
  });
  auto stream = world.connect(server.port());
  std::string got = world.run(send_and_receive(*stream, text, text.size()));
  world.run(stream->close());
  CHECK((got == text));
}

TEST_CASE("a read that waits can be cancelled; then the stream closes without a word") {
  World world;
  Server server([](int fd) { servers::receive(fd); });
  auto stream = world.connect(server.port());
  CHECK(world.run(cancel_when_waiting(read_some(*stream))) == "cancelled");
  world.run(stream->close());
}

TEST_CASE("a write that waits can be cancelled") {
  World world;
  Silence silence;
  Server server([&silence](int) { silence.wait(); });
  auto stream = world.connect(server.port());
  std::string text(64 << 20, 'x');
  auto task = write_pieces(*stream, text, text.size());
  CHECK(world.run(outcome(with_timeout(milliseconds(5), std::move(task)))) == "timed out");
  world.run(stream->close());
  silence.end();
}

TEST_CASE("an operation in a cancelled scope does not start") {
  World world;
  std::string heard;
  {
    Server server([&heard](int fd) { heard = servers::receive(fd); });
    auto stream = world.connect(server.port());
    Scope scope(world.loop);
    scope.cancel();
    CHECK_THROWS_AS(block_on(scope, write_text(*stream, "x")), Cancelled);
    world.run(stream->close());
  }
  CHECK(heard.empty());
}

TEST_CASE("a read that gets nothing for the time limit is a transient error") {
  World world;
  Server server([](int fd) { servers::receive(fd); });
  ConnectOptions options = to("127.0.0.1", server.port());
  options.io_limit = milliseconds(10);
  auto stream = world.run(world.network.connect(options));
  std::string text = world.run(outcome(read_some(*stream)));
  CHECK_THAT(text, Catch::StartsWith("transient: 127.0.0.1:"));
  CHECK_THAT(text, Catch::Contains("in time"));
  world.run(stream->close());
}

TEST_CASE("a write that makes no progress for the time limit is a transient error") {
  World world;
  Silence silence;
  Server server([&silence](int) { silence.wait(); });
  ConnectOptions options = to("127.0.0.1", server.port());
  options.io_limit = milliseconds(10);
  auto stream = world.run(world.network.connect(options));
  std::string text(64 << 20, 'x');
  std::string end = world.run(outcome(write_pieces(*stream, text, text.size())));
  silence.end();
  CHECK_THAT(end, Catch::StartsWith("transient: "));
  CHECK_THAT(end, Catch::Contains("in time"));
  world.run(stream->close());
}

TEST_CASE("the limit of a read counts from the last byte that was written") {
  World world;
  const std::string text(96 << 20, 'x');  // each part comes well within the limit, all of it not
  Server server([&text](int fd) {
    servers::receive_slowly(fd, text.size());
    servers::send_all(fd, "done");
  });
  ConnectOptions options = to("127.0.0.1", server.port());
  options.io_limit = milliseconds(500);
  auto stream = world.run(world.network.connect(options));
  CHECK(world.run(send_and_receive(*stream, text, 4)) == "done");
  world.run(stream->close());
}

TEST_CASE("a connection that the peer resets is a transient error with the peer's name") {
  World world;
  Server server([](int fd) {
    servers::receive(fd, 1);
    servers::reset_on_close(fd);
  });
  auto stream = world.connect(server.port());
  world.run(write_text(*stream, "x"));
  std::string text = world.run(outcome(read_some(*stream)));
  CHECK_THAT(text, Catch::StartsWith("transient: 127.0.0.1:"));
  CHECK_THAT(text, Catch::Contains("reset"));
  world.run(stream->close());
}

TEST_CASE("writing to a peer that has gone is an error, not a signal") {
  World world;
  auto server = std::make_unique<Server>([](int fd) { servers::reset_on_close(fd); });
  auto stream = world.connect(server->port());
  server.reset();
  std::string text = "done";
  while (text == "done") text = world.run(outcome(write_text(*stream, "x")));
  CHECK_THAT(text, Catch::StartsWith("transient: "));
}

TEST_CASE("closing ends a read that waits in another task") {
  World world;
  Server server([](int fd) { servers::receive(fd); });
  auto stream = world.connect(server.port());
  std::string text = world.run(close_while_reading(*stream));
  CHECK_THAT(text, Catch::Contains("closed on this side"));
  CHECK_THAT(world.run(outcome(write_text(*stream, "x"))), Catch::Contains("closed on this side"));
}

TEST_CASE("closing does not wait for a peer that will not stop talking") {
  World world;
  Server server([](int fd) {
    std::string chatter(1 << 20, 'c');
    for (int i = 0; i < 64; ++i) servers::send_all(fd, chatter);
    servers::receive(fd);
  });
  auto stream = world.connect(server.port());
  world.run(stream->close());
}

TEST_CASE("a stream may be dropped without being closed") {
  World world;
  std::string heard;
  {
    Server server([&heard](int fd) { heard = servers::receive(fd); });
    auto stream = world.connect(server.port());
    world.run(write_text(*stream, "bye"));
    stream.reset();
  }
  CHECK(heard == "bye");
}
