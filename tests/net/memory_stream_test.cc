// The streams that other tests stand on keep the promises of Stream.
#include "connectors/net/memory_stream.h"

#include <catch2/catch.hpp>

#include "connectors/net/patience.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::net;

namespace {

/// What a task threw, as kind and text; empty when it threw nothing.
Task<std::string> outcome(Task<void> task) {
  std::string text;
  try {
    co_await std::move(task);
  } catch (const Error& error) {
    text = std::string(to_string(error.kind())) + ": " + error.what();
  } catch (const Cancelled&) {
    text = "cancelled";
  }
  co_return text;
}

Task<void> drop_read(Stream& stream) {
  char buffer[16];
  co_await stream.read(buffer);
}

Task<std::string> read_all(Stream& stream, std::size_t& reads) {
  std::string all;
  while (true) {
    char buffer[64];
    std::size_t n = co_await stream.read(buffer);
    if (n == 0) break;
    ++reads;
    all.append(buffer, n);
  }
  co_return all;
}

Task<void> write_and_close(Stream& stream, std::string text) {
  co_await write_text(stream, std::move(text));
  co_await stream.close();
}

Task<std::string> carry(std::string text, PipeOptions options, std::size_t& reads) {
  auto [a, b] = make_pipe(options);
  std::string got;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(write_and_close(*a, std::move(text)));
    got = co_await read_all(*b, reads);
    co_await group.join();
  });
  co_return got;
}

}  // namespace

TEST_CASE("a pipe in memory carries more than it holds, in order") {
  ManualExecutor loop;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i) + ' ';
  std::size_t reads = 0;
  PipeOptions options;
  options.capacity = 10;
  std::string got = block_on(loop, carry(text, options, reads));
  CHECK(got == text);
}

TEST_CASE("a pipe in memory splits reads at every byte when it is told to") {
  ManualExecutor loop;
  std::size_t reads = 0;
  PipeOptions options;
  options.read_chunk = 1;
  std::string got = block_on(loop, carry("twelve bytes", options, reads));
  CHECK(got == "twelve bytes");
  CHECK(reads == 12);
}

TEST_CASE("pieces arrive as if they had been joined") {
  ManualExecutor loop;
  auto [a, b] = make_pipe();
  std::vector<std::string_view> pieces;
  pieces.emplace_back("one ");
  pieces.emplace_back("");
  pieces.emplace_back("two");
  block_on(loop, a->write(std::move(pieces)));
  CHECK(block_on(loop, read_exactly(*b, 7)) == "one two");
}

TEST_CASE("start_tls flips encrypted, but not while received bytes wait") {
  ManualExecutor loop;
  auto [a, b] = make_pipe({.channel_binding = "binding"});
  CHECK_FALSE(a->encrypted());
  CHECK(a->channel_binding("tls-exporter").empty());
  CHECK_THAT(block_on(loop, outcome(a->start_tls({}, 1))), Catch::StartsWith("tls: "));
  block_on(loop, write_text(*b, "* injected\r\n"));
  CHECK_THAT(block_on(loop, outcome(a->start_tls({}, 0))), Catch::StartsWith("tls: "));
  CHECK_FALSE(a->encrypted());
  block_on(loop, read_line(*a));
  TlsOptions tls;
  tls.host = "h";
  block_on(loop, a->start_tls(tls, 0));
  CHECK(a->encrypted());
  CHECK(a->tls_options().host == "h");
  CHECK(a->channel_binding("tls-exporter") == "binding");
}

TEST_CASE("a read of a pipe in memory can be cancelled, and so can a write") {
  ManualExecutor loop;
  auto [a, b] = make_pipe({.capacity = 4});
  auto limited = [&loop](Task<void> task) {
    std::string text;
    try {
      block_on(loop, with_timeout(std::chrono::seconds(1), std::move(task)));
    } catch (const TimedOut&) {
      text = "timed out";
    }
    return text;
  };
  CHECK(limited(drop_read(*a)) == "timed out");
  CHECK(limited(write_text(*b, "more than four")) == "timed out");
}

TEST_CASE("what was written before a close is read, then the end") {
  ManualExecutor loop;
  auto [a, b] = make_pipe();
  block_on(loop, write_and_close(*a, "last words"));
  std::size_t reads = 0;
  CHECK(block_on(loop, read_all(*b, reads)) == "last words");
  CHECK_THAT(block_on(loop, outcome(write_text(*b, "x"))), Catch::StartsWith("transient: "));
}

TEST_CASE("a cut line fails both ends") {
  ManualExecutor loop;
  auto [a, b] = make_pipe();
  block_on(loop, write_text(*a, "lost"));
  b->cut();
  CHECK_THAT(block_on(loop, outcome(drop_read(*b))), Catch::StartsWith("transient: "));
  CHECK_THAT(block_on(loop, outcome(drop_read(*a))), Catch::StartsWith("transient: "));
  CHECK_THAT(block_on(loop, outcome(write_text(*a, "x"))), Catch::StartsWith("transient: "));
}

TEST_CASE("a line cut after some bytes delivers exactly those") {
  ManualExecutor loop;
  auto [a, b] = make_pipe();
  a->cut_after_writing(4);
  CHECK_THAT(block_on(loop, outcome(write_text(*a, "1234567"))), Catch::StartsWith("transient: "));
  CHECK(block_on(loop, read_exactly(*b, 4)) == "1234");
  CHECK_THAT(block_on(loop, outcome(drop_read(*b))), Catch::StartsWith("transient: "));
  CHECK_THAT(block_on(loop, outcome(drop_read(*a))), Catch::StartsWith("transient: "));
}

TEST_CASE("a scripted network hands out what the test says and notes what was asked") {
  ManualExecutor loop;
  int calls = 0;
  ScriptedNetwork network([&calls](ConnectOptions) -> Task<std::unique_ptr<Stream>> {
    std::unique_ptr<Stream> stream;
    if (++calls == 1) stream = make_pipe().first;
    co_return stream;
  });
  ConnectOptions options;
  options.host = "h";
  options.port = 993;
  CHECK(block_on(loop, network.connect(options)) != nullptr);
  std::string text;
  try {
    block_on(loop, network.connect(options));
  } catch (const Error& error) {
    text = to_string(error.kind());
  }
  CHECK(text == "unreachable");
  REQUIRE(network.asked().size() == 2);
  CHECK(network.asked()[0].port == 993);
}

namespace {

/// A line on which a write takes an hour, and the answer comes soon after it.
class SlowStream final : public Stream {
 public:
  Task<std::size_t> read(std::span<char> into) override {
    co_await sleep_for(std::chrono::minutes(61));
    into[0] = '+';
    co_return 1;
  }
  Task<void> write(std::vector<std::string_view>) override {
    co_await sleep_for(std::chrono::minutes(60));
  }
  Task<void> start_tls(TlsOptions, std::size_t) override { co_return; }
  bool encrypted() const override { return false; }
  std::string channel_binding(std::string_view) const override { return {}; }
  Task<void> close() override { co_return; }
};

}  // namespace

TEST_CASE("patience with an answer begins when the whole question has been written") {
  ManualExecutor executor;
  PatientStream stream(std::make_unique<SlowStream>(), std::chrono::minutes(20));
  const bool question = GENERATE(true, false);
  const auto talk = [&]() -> Task<std::string> {
    std::string text;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      if (question) group.spawn(write_text(stream, "a long message"));
      text = co_await outcome(drop_read(stream));
      co_await group.join();
    });
    co_return text;
  };
  CHECK(block_on(executor, talk()).empty() == question);
}
