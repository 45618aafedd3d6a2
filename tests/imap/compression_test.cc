#include "connectors/imap/compression.h"

#include <catch2/catch.hpp>

#include "connectors/net/deflate.h"
#include "engine/async/timeout.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

/// What these writes are on a deflated line, one after the other.
std::string deflated(std::vector<std::string> writes) {
  ManualExecutor executor;
  auto [near, far] = net::make_pipe({.capacity = 1 << 20});
  const auto all = [&]() -> Task<std::string> {
    net::DeflateStream sender(std::move(near), "");
    for (const std::string& text : writes) co_await net::write_text(sender, text);
    std::string out(1 << 20, '\0');
    out.resize(co_await far->read(std::span<char>(out)));
    co_return out;
  };
  return block_on(executor, all());
}

Client asking(Compression& compression, std::function<Task<void>(Session&)> talk) {
  return logged_in({"IMAP4REV1", "COMPRESS=DEFLATE"}, [&compression, talk](Session& session) {
    session.compression = &compression;
    return talk(session);
  });
}

/// Whether compression is found to pay where mail comes at this rate, in two sessions at once.
bool pays_at(std::uint64_t bytes_per_second, Compress wanted = Compress::automatic) {
  constexpr std::size_t kChunk = 10'000;
  ManualExecutor executor;
  Compression compression(wanted);
  const auto receive = [&]() -> Task<void> {
    auto [ours, theirs] = net::make_pipe({.capacity = 1 << 20});
    Session session(std::move(ours), "source");
    session.compression = &compression;
    LineMeter meter(session);
    Traffic before;
    const std::string line = "* OK " + std::string(kChunk - 7, 'x') + "\r\n";
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn([&]() -> Task<void> {
        for (std::uint64_t sent = 0; sent < 3 * bytes_per_second + (1 << 20); sent += kChunk) {
          co_await sleep_for(std::chrono::nanoseconds(1'000'000'000 * kChunk / bytes_per_second));
          co_await net::write_text(*theirs, line);
        }
        co_await theirs->close();
      });
      try {
        for (;;) {
          co_await session.next();
          const Traffic now = session.received();
          meter.moved(now.bytes - before.bytes, now.waited - before.waited);
          before = now;
        }
      } catch (const Error&) {
        // The end of what was sent.
      }
    });
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(receive());
             group.spawn(receive());
             co_await group.join();
           }));
  return compression.pays();
}

}  // namespace

TEST_CASE("behind the OK to COMPRESS all is deflated, also what came together with it") {
  Compression compression(Compress::on);
  Dialogue d;
  d.c("A1 COMPRESS DEFLATE")
      .raw("A1 OK go on\r\n" + deflated({"* 3 EXISTS\r\n"}))
      .bytes(deflated({"A2 NOOP\r\n"}));
  const std::string answers = deflated({"* 3 EXISTS\r\n", "* 4 EXISTS\r\nA2 OK done\r\n"});
  d.raw(answers.substr(deflated({"* 3 EXISTS\r\n"}).size()));
  converse(d, asking(compression, [](Session& session) -> Task<void> {
             co_await compress(session);
             const std::string tag = co_await session.send(session.command("NOOP").finish());
             co_await session.succeed(tag, "NOOP");
             const std::uint64_t exists = session.exists();
             CHECK(exists == 4);
             CHECK(session.deflated());
           }));
}

TEST_CASE("a server that refuses the compression it offers is not asked again") {
  for (const char* refusal : {"A1 NO [COMPRESSIONACTIVE] TLS does it", "A1 BAD what?"}) {
    Dialogue d;
    d.c("A1 COMPRESS DEFLATE").s(refusal).c("A2 NOOP").s("A2 OK done");
    std::unique_ptr<Compression> compression;
    converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
      compression = std::make_unique<Compression>(Compress::on);
      const Client client = asking(*compression, [](Session& session) -> Task<void> {
        co_await compress(session);
        const bool due = compression_due(session);
        CHECK(!due);
        const std::string tag = co_await session.send(session.command("NOOP").finish());
        co_await session.succeed(tag, "NOOP");
      });
      co_await client(std::move(stream));
    });
  }
}

TEST_CASE("compression is found to pay on a slow line, however many sessions share it") {
  CHECK(pays_at(200'000));
  CHECK(pays_at(1'500'000));
}

TEST_CASE("on a fast line compression is never found to pay") {
  CHECK(!pays_at(2'500'000));  // each of two
  CHECK(!pays_at(50'000'000));
}

TEST_CASE("compress=off holds on the slowest line, and compress=on on the fastest") {
  CHECK(!pays_at(200'000, Compress::off));
  CHECK(pays_at(50'000'000, Compress::on));
}
