#include "connectors/net/deflate.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "connectors/net/memory_stream.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::net;

namespace {

/// Lines as in a session, and some that deflate badly.
std::string text(std::size_t size) {
  std::string out;
  std::uint32_t state = 7;
  while (out.size() < size) {
    out += "* 12 FETCH (UID 12 FLAGS (\\Seen) RFC822.SIZE 4711)\r\n";
    for (int i = 0; i < 40; ++i) {
      state = state * 1664525 + 1013904223;
      out += static_cast<char>(state >> 24);
    }
  }
  out.resize(size);
  return out;
}

Task<std::string> read_all(Stream& stream, std::size_t at_once) {
  std::string got;
  std::string room(at_once, '\0');
  for (;;) {
    const std::size_t count = co_await stream.read(std::span<char>(room));
    if (count == 0) co_return got;
    got.append(room, 0, count);
  }
}

/// What arrives at the other end.
std::string through(PipeOptions options, std::vector<std::string_view> pieces,
                    std::size_t at_once) {
  ManualExecutor executor;
  auto [near, far] = make_pipe(options);
  const auto both = [&]() -> Task<std::string> {
    DeflateStream sender(std::move(near), "");
    DeflateStream receiver(std::move(far), "");
    std::string got;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn([&]() -> Task<void> { got = co_await read_all(receiver, at_once); });
      for (const std::string_view piece : pieces) {
        std::vector<std::string_view> one(1, piece);
        co_await sender.write(std::move(one));
      }
      co_await sender.close();
      co_await group.join();
    });
    co_return got;
  };
  return block_on(executor, both());
}

/// What the bytes are on the line.
std::string deflated(std::vector<std::string_view> pieces) {
  ManualExecutor executor;
  auto [near, far] = make_pipe({.capacity = 10 << 20});
  const auto both = [&]() -> Task<std::string> {
    {
      DeflateStream sender(std::move(near), "");
      co_await sender.write(pieces);
      co_await sender.close();
    }
    co_return co_await read_all(*far, 100'000);
  };
  return block_on(executor, both());
}

}  // namespace

TEST_CASE("What goes in at one end comes out at the other, split at every byte") {
  const std::string whole = text(20'000);
  const std::string_view view = whole;
  CHECK(through({.read_chunk = 1}, {view}, 1) == whole);
  CHECK(through({.read_chunk = 1}, {view.substr(0, 1), view.substr(1)}, 4096) == whole);
  for (std::size_t at : {0u, 1u, 100u, 19'999u, 20'000u})
    CHECK(through({}, {view.substr(0, at), view.substr(at)}, 100'000) == whole);
}

TEST_CASE("More than any buffer holds passes, also through a narrow line") {
  const std::string whole = text(3 << 20);
  CHECK(through({.capacity = 1000}, {whole}, 64 << 10) == whole);
}

TEST_CASE("A write is whole on the line when it returns") {
  ManualExecutor executor;
  auto [near, far] = make_pipe();
  const auto both = [&]() -> Task<std::string> {
    DeflateStream sender(std::move(near), "");
    DeflateStream receiver(std::move(far), "");
    std::vector<std::string_view> pieces{"A1 ", "NOOP", "\r\n"};
    co_await sender.write(std::move(pieces));
    std::array<char, 100> room{};
    const std::size_t count = co_await receiver.read(room);
    co_return std::string(room.data(), count);
  };
  CHECK(block_on(executor, both()) == "A1 NOOP\r\n");
}

TEST_CASE("Text is a fraction of its size on the line") {
  const std::string letters(1 << 20, 'x');
  CHECK(deflated({letters}).size() < 4096);
}

TEST_CASE("What came before the stream was made is inflated first") {
  const std::string line = deflated({"* OK first\r\n", "* OK second\r\n"});
  for (std::size_t early = 0; early <= line.size(); ++early) {
    ManualExecutor executor;
    auto [near, far] = make_pipe();
    const auto both = [&]() -> Task<std::string> {
      DeflateStream receiver(std::move(far), std::string_view(line).substr(0, early));
      std::vector<std::string_view> rest(1, std::string_view(line).substr(early));
      co_await near->write(std::move(rest));
      co_await near->close();
      co_return co_await read_all(receiver, 5);
    };
    CHECK(block_on(executor, both()) == "* OK first\r\n* OK second\r\n");
  }
}

TEST_CASE("Few bytes that inflate to many are read a buffer at a time") {
  const std::string bomb = deflated({std::string(64 << 20, '\0')});
  REQUIRE(bomb.size() < 100'000);
  ManualExecutor executor;
  auto [near, far] = make_pipe({.capacity = 1 << 20});
  const auto both = [&]() -> Task<std::size_t> {
    DeflateStream receiver(std::move(far), "");
    std::vector<std::string_view> all(1, bomb);
    co_await near->write(std::move(all));
    std::array<char, 1000> room{};
    co_return co_await receiver.read(room);
  };
  CHECK(block_on(executor, both()) == 1000);
}

TEST_CASE("What is not deflated ends the session") {
  ManualExecutor executor;
  auto [near, far] = make_pipe();
  ErrorKind kind{};
  const auto both = [&]() -> Task<void> {
    DeflateStream receiver(std::move(far), "* OK in the clear\r\n");
    std::array<char, 100> room{};
    try {
      co_await receiver.read(room);
    } catch (const Error& error) {
      kind = error.kind();
    }
  };
  block_on(executor, both());
  CHECK(kind == ErrorKind::protocol);
}
