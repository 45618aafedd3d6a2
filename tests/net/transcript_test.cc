// The transcript shows lines, hides secrets, and stays short.
#include "connectors/net/transcript.h"

#include <catch2/catch.hpp>

#include "connectors/net/counting.h"
#include "engine/async/manual_executor.h"
#include "tests/net/client.h"

using namespace postferry;
using namespace postferry::net;
using namespace client;

namespace {

/// A client's stream in a transcript and in counts, the server's end, and the lines.
struct Recorded {
  ManualExecutor loop;
  std::vector<std::string> lines;
  std::unique_ptr<Stream> server;
  ScriptedNetwork scripted{[this](ConnectOptions) { return accept(); }};
  CountingNetwork counting{scripted};
  TranscriptNetwork network{counting, [this](std::string_view line) { lines.emplace_back(line); }};
  std::unique_ptr<Stream> client;

  Recorded() {
    client = run(network.connect(to("imap.example", 143)));
    lines.clear();
  }
  template <class T>
  T run(Task<T> task) {
    return block_on(loop, std::move(task));
  }
  Task<std::unique_ptr<Stream>> accept() {
    auto [ours, theirs] = make_pipe({.capacity = 1 << 20});
    server = std::move(theirs);
    co_return std::move(ours);
  }
  void say(const std::string& text) { run(write_text(*client, text)); }
  void hear(const std::string& text) {
    run(write_text(*server, text));
    run(read_exactly(*client, text.size()));
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("each line is shown with its connection and its direction") {
  Recorded recorded;
  recorded.hear("* OK ready\r\n");
  recorded.say("A1 NO");
  recorded.say("OP\r\nA2 LOGOUT\r\n");
  recorded.hear("A1 OK\nA2 OK\r\n");
  CHECK(recorded.lines == Lines{"[1] S: * OK ready", "[1] C: A1 NOOP", "[1] C: A2 LOGOUT",
                                "[1] S: A1 OK", "[1] S: A2 OK"});
}

TEST_CASE("connections are numbered, and their beginning and end are told") {
  Recorded recorded;
  auto second = recorded.run(recorded.network.connect(to("imap.example", 993)));
  recorded.run(second->close());
  CHECK(recorded.lines ==
        Lines{"[2] -- connecting to imap.example port 993", "[2] -- connected", "[2] -- closed"});
}

TEST_CASE("secrets are never shown, nor their length") {
  Recorded recorded;
  recorded.say("A1 LOGIN ann ");
  recorded.client->mark_secret(true);
  recorded.say("hun");
  recorded.say("ter2");
  recorded.client->mark_secret(false);
  recorded.say("\r\n");
  recorded.client->mark_secret(true);
  recorded.say("aHVudGVyMg==\r\n");
  recorded.hear("A1 BAD what is hunter2?\r\n");
  recorded.client->mark_secret(false);
  recorded.hear("A2 OK\r\n");
  CHECK(recorded.lines == Lines{"[1] C: A1 LOGIN ann <secret>", "[1] C: <secret>",
                                "[1] S: <secret>", "[1] S: A2 OK"});
}

TEST_CASE("a secret in a literal is not shown, and what follows is") {
  Recorded recorded;
  recorded.say("A1 LOGIN ann {7+}\r\n");
  recorded.client->mark_secret(true);
  recorded.say("hunter2");
  recorded.client->mark_secret(false);
  recorded.say("\r\nA2 NOOP\r\n");
  CHECK(recorded.lines == Lines{"[1] C: A1 LOGIN ann {7+}", "[1] C: <secret>", "[1] C: A2 NOOP"});
}

TEST_CASE("a secret in a long literal is counted as part of it") {
  Recorded recorded;
  recorded.say("A1 X {300}\r\n");
  recorded.client->mark_secret(true);
  recorded.say(std::string(300, 'p'));
  recorded.client->mark_secret(false);
  recorded.say("\r\nA2 NOOP\r\n");
  CHECK(recorded.lines == Lines{"[1] C: A1 X {300}", "[1] C: <secret>", "[1] C: A2 NOOP"});
}

TEST_CASE("a long literal is cut, and lines in it are not taken for lines") {
  Recorded recorded;
  std::string body = "Subject: x\r\n\r\n" + std::string(986, 'b');
  recorded.say("A1 APPEND INBOX {1000+}\r\n" + body.substr(0, 3));
  recorded.say(body.substr(3) + ")\r\n");
  REQUIRE(recorded.lines.size() == 3);
  CHECK(recorded.lines[0] == "[1] C: A1 APPEND INBOX {1000+}");
  CHECK_THAT(recorded.lines[1], Catch::StartsWith("[1] C: Subject: x\\x0D\\x0A\\x0D\\x0Abbb") &&
                                    Catch::EndsWith("bb ... (1000 bytes)"));
  CHECK(recorded.lines[1].size() < 300);
  CHECK(recorded.lines[2] == "[1] C: )");
}

TEST_CASE("a long line is cut, and controls in it are escaped") {
  Recorded recorded;
  recorded.hear("* \x1b[31m" + std::string(5000, 'x') + "\r\n");
  REQUIRE(recorded.lines.size() == 1);
  CHECK_THAT(recorded.lines[0], Catch::StartsWith("[1] S: * \\x1B[31mxxx"));
  CHECK(recorded.lines[0].size() < 1100);
}

TEST_CASE("of a long speech without an answer the rest is counted") {
  Recorded recorded;
  for (int i = 0; i < 2000; ++i) recorded.hear(std::string(98, 'm') + "\r\n");
  std::size_t shown = recorded.lines.size();
  CHECK(shown < 700);
  recorded.say("A1 NOOP\r\n");
  REQUIRE(recorded.lines.size() == shown + 2);
  CHECK_THAT(recorded.lines[shown], Catch::Contains("bytes more"));
  CHECK(recorded.lines[shown + 1] == "[1] C: A1 NOOP");
}

TEST_CASE("TLS, the server's end, and errors are told") {
  Recorded recorded;
  recorded.run(recorded.client->start_tls({}, 0));
  CHECK(recorded.client->encrypted());
  recorded.run(recorded.server->close());
  recorded.run(read_some(*recorded.client));
  recorded.run(outcome(write_text(*recorded.client, "x\r\n")));
  CHECK(recorded.lines == Lines{"[1] -- TLS begins", "[1] -- the server ended the connection",
                                "[1] C: x", "[1] -- the connection was closed by the peer"});
}

TEST_CASE("a connection that fails is in the transcript") {
  ManualExecutor loop;
  ScriptedNetwork nobody(
      [](ConnectOptions) -> Task<std::unique_ptr<Stream>> { co_return std::unique_ptr<Stream>(); });
  Lines lines;
  TranscriptNetwork network(nobody, [&lines](std::string_view line) { lines.emplace_back(line); });
  block_on(loop, outcome(network.connect(to("h", 1))));
  CHECK(lines == Lines{"[1] -- connecting to h port 1", "[1] -- h: nobody answers"});
}

TEST_CASE("a batch of pipelined commands is one round trip") {
  Recorded recorded;
  recorded.hear("* OK\r\n");
  CHECK(recorded.counting.counts().round_trips == 0);
  recorded.say("A1\r\n");
  recorded.say("A2\r\n");
  recorded.hear("A1 OK\r\n");
  recorded.hear("A2 OK\r\n");
  CHECK(recorded.counting.counts().round_trips == 1);
  recorded.say("A3\r\n");
  recorded.hear("A3 OK\r\n");
  CHECK(recorded.counting.counts().round_trips == 2);
  CHECK(recorded.counting.counts().connections == 1);
  CHECK(recorded.counting.counts().bytes_written == 12);
  CHECK(recorded.counting.counts().bytes_read == 27);
  recorded.counting.reset();
  CHECK(recorded.counting.counts().bytes_read == 0);
}
