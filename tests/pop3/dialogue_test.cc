// The dialogue itself: reads scripts and plays the server. A test keeps it honest.
#include "tests/pop3/dialogue.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "connectors/endpoint.h"
#include "engine/async/timeout.h"

namespace postferry::pop3::test {
namespace {

std::string unescaped(std::string_view text) {
  std::string out;
  bool line_end = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 'c':
        line_end = false;
        break;
      default:
        out += text[i];
    }
  }
  return line_end ? out + "\r\n" : out;
}

}  // namespace

Dialogue::Dialogue(std::vector<std::string> scripts) : scripts_(scripts.begin(), scripts.end()) {}

Task<void> Dialogue::serve(std::unique_ptr<net::MemoryStream> stream, std::string script) {
  std::istringstream lines(script);
  std::string line;
  std::string to_say;
  std::string expected;
  bool left = false;
  try {
    while (std::getline(lines, line)) {
      if (line.empty()) continue;
      if (line.starts_with("S: ")) {
        to_say += unescaped(std::string_view(line).substr(3));
        continue;
      }
      if (!to_say.empty()) co_await net::write_text(*stream, std::exchange(to_say, {}));
      if (line.starts_with("WAIT ")) {
        co_await sleep_for(std::chrono::seconds(std::stoi(line.substr(5))));
      } else if (line == "TLS") {
        co_await stream->start_tls({}, 0);
      } else if (line == "CUT") {
        // First everything must have arrived; the client is waiting for more then.
        for (int i = 0; i < 100; ++i) co_await postferry::yield();
        stream->cut();
        co_return;
      } else {
        expected = line.substr(3);
        const std::string said = co_await net::read_line(*stream);
        if (said != expected) {
          problems.push_back("the client said: " + said + "\nand should say:  " + expected);
          co_return;
        }
      }
    }
    if (!to_say.empty()) co_await net::write_text(*stream, std::move(to_say));
  } catch (const Error& error) {
    left = true;
  }
  if (left) problems.push_back("the client left, and should say: " + expected);
}

Task<std::unique_ptr<net::Stream>> Dialogue::accept(TaskGroup& group, net::ConnectOptions options) {
  if (scripts_.empty()) {
    problems.push_back("one connection too many");
    co_return nullptr;
  }
  net::PipeOptions pipe_options = pipe;
  pipe_options.encrypted = options.tls.has_value();
  auto [client, server] = net::make_pipe(pipe_options);
  group.spawn(serve(std::move(server), std::move(scripts_.front())));
  scripts_.pop_front();
  co_return std::make_unique<Recorder>(std::move(client), writes);
}

Task<void> Dialogue::all(TaskGroup& group, const std::string& url,
                         const std::function<Task<void>(Source&)>& client) {
  net::ScriptedNetwork network(
      [this, &group](net::ConnectOptions options) { return accept(group, std::move(options)); });
  InlineBlocking blocking;
  const std::unique_ptr<SpoolFactory> spool = make_disk_spool(blocking, "/tmp");
  ConnectorContext context;
  context.network = &network;
  context.spool = spool.get();
  EndSetup setup;
  setup.endpoint = parse_endpoint(url);
  setup.credentials = &secrets;
  std::unique_ptr<Source> source = pop3::make_source(context, std::move(setup));
  if (client) {
    co_await client(*source);
  } else {
    co_await source->connect();
  }
}

void Dialogue::run(const std::string& url, std::function<Task<void>(Source&)> client) {
  ManualExecutor executor;
  std::exception_ptr failed;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             try {
               co_await all(group, url, client);
             } catch (...) {
               // The server's side goes on to its end all the same.
               failed = std::current_exception();
             }
             co_await group.join();
           }));
  if (!scripts_.empty()) problems.push_back("a connection was not made");
  if (strict) {
    for (const std::string& problem : problems) FAIL_CHECK(problem);
  }
  if (failed) std::rethrow_exception(failed);
}

void Dialogue::run_session(const std::string& url,
                           std::function<Task<void>(SourceSession&)> client) {
  run(url, [client](Source& source) -> Task<void> {
    const std::unique_ptr<SourceSession> session = co_await source.connect();
    co_await client(*session);
  });
}

Error Dialogue::failure(const std::string& url, std::function<Task<void>(Source&)> client) {
  try {
    run(url, std::move(client));
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return Error(ErrorKind::usage, "");
}

Error Dialogue::session_failure(const std::string& url,
                                std::function<Task<void>(SourceSession&)> client) {
  return failure(url, [client](Source& source) -> Task<void> {
    const std::unique_ptr<SourceSession> session = co_await source.connect();
    co_await client(*session);
  });
}

std::string logged_in(std::string_view capabilities, std::string_view script) {
  std::string lines;
  std::istringstream words{std::string(capabilities)};
  for (std::string word; words >> word;) lines += "S: " + word + "\n";
  return "S: +OK ready\n"
         "C: CAPA\nS: -ERR\n"
         "C: USER ann\nS: +OK\n"
         "C: PASS pa$$word\nS: +OK logged in\n"
         "C: CAPA\nS: +OK\n" +
         lines + "S: .\n" + std::string(script);
}

}  // namespace postferry::pop3::test

using namespace postferry::pop3::test;

TEST_CASE("a dialogue notices a client that leaves the script") {
  Dialogue dialogue({"S: +OK ready\nC: NOOP\n"});
  dialogue.strict = false;
  CHECK(dialogue.failure("pop3s://ann@old.example").kind() == postferry::ErrorKind::transient);
  REQUIRE(dialogue.problems.size() == 1);
  CHECK(dialogue.problems[0] == "the client said: CAPA\nand should say:  NOOP");
}

TEST_CASE("a dialogue notices a client that stays away") {
  Dialogue dialogue({"S: +OK ready\n"});
  dialogue.strict = false;
  dialogue.run("pop3s://ann@old.example",
               [](postferry::Source&) -> postferry::Task<void> { co_return; });
  CHECK(dialogue.problems == std::vector<std::string>{"a connection was not made"});
}
