// Servers that mean harm, against the whole POP3 connector: each attack ends in a clear error, in
// bounded time and memory.
#include <catch2/catch.hpp>

#include "connectors/net/patience.h"
#include "connectors/pop3/source.h"
#include "engine/spool.h"
#include "tests/net/hostile_server.h"
#include "tests/pop3/dialogue.h"

using namespace postferry;
using namespace postferry::pop3::test;
using postferry::testing::Attack;
using postferry::testing::attack;
using postferry::testing::say_for_ever;
using postferry::testing::stay_silent;

namespace {

constexpr std::chrono::seconds kTimeout{120};
constexpr std::chrono::seconds kWhole{(net::kPatience + 1) * 120};

using Evil = std::function<Task<void>(net::Stream&)>;

struct Got {
  std::optional<Error> error;
  std::chrono::seconds took{};
  std::size_t messages = 0;
};

/// Answers in turn, each when a line has been heard, the first unasked; then turns evil.
Got attack_source(std::vector<std::string> answers, const Evil& evil,
                  const std::string& url = "pop3s://ann@old.example") {
  Got got;
  const Attack attacked = attack(
      [&](net::Stream& stream) -> Task<void> {
        for (std::size_t i = 0; i < answers.size(); ++i) {
          if (i > 0) co_await net::read_line(stream);
          co_await net::write_text(stream, answers[i]);
        }
        if (!answers.empty()) co_await net::read_line(stream);
        co_await evil(stream);
      },
      [&](net::Network& network) -> Task<void> {
        Secrets secrets{{"secret"}};
        InlineBlocking blocking;
        const std::unique_ptr<SpoolFactory> spool = make_disk_spool(blocking, "/tmp");
        ConnectorContext context;
        context.network = &network;
        context.spool = spool.get();
        EndSetup setup;
        setup.endpoint = parse_endpoint(url);
        setup.credentials = &secrets;
        setup.timeout = kTimeout;
        const std::unique_ptr<Source> source = pop3::make_source(context, std::move(setup));
        const std::unique_ptr<SourceSession> session = co_await source->connect();
        co_await session->select(FolderName({"INBOX"}));
        const Catalogue catalogue = co_await session->catalogue();
        std::vector<Catalogue::Entry> wanted;
        for (std::size_t i = 0; i < catalogue.size(); ++i) wanted.push_back(catalogue[i]);
        Collector sink;
        try {
          co_await session->fetch(std::move(wanted), sink);
        } catch (const Error&) {
          got.messages = sink.messages.size();
          throw;
        }
        got.messages = sink.messages.size();
      },
      url.starts_with("pop3s"));
  got.error = attacked.error;
  got.took = attacked.took;
  return got;
}

Evil says(std::string bytes) {
  return [bytes](net::Stream& stream) -> Task<void> {
    co_await net::write_text(stream, bytes);
    co_await stay_silent();
  };
}

Evil repeats(std::string start, std::string piece, Duration pause = {}) {
  return [start, piece, pause](net::Stream& stream) -> Task<void> {
    co_await net::write_text(stream, start);
    co_await say_for_ever(stream, piece, pause);
  };
}

const std::string kCapa = "+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n";

/// Greeting to login.
std::vector<std::string> logged_in_then(std::vector<std::string> more) {
  std::vector<std::string> answers{"+OK ready\r\n", kCapa, "+OK\r\n", "+OK\r\n", kCapa};
  for (std::string& line : more) answers.push_back(std::move(line));
  return answers;
}

/// STAT, UIDL and LIST of one message.
std::vector<std::string> listed() {
  return logged_in_then({"+OK 1 3\r\n", "+OK\r\n1 a\r\n.\r\n", "+OK\r\n1 3\r\n.\r\n"});
}

void check_bounded(const Got& got, ErrorKind kind) {
  REQUIRE(got.error);
  INFO(got.error->what());
  CHECK(got.error->kind() == kind);
  CHECK(got.took <= kWhole);
  CHECK(got.messages == 0);
}

}  // namespace

TEST_CASE("hostile POP3: the script itself is sound: its message is fetched") {
  const Got got = attack_source(listed(), says("+OK\r\nabc\r\n.\r\n"));
  CHECK(!got.error);
  CHECK(got.messages == 1);
}

TEST_CASE("hostile POP3: a line that never ends is cut off, in a greeting and in a listing") {
  const std::string much(50'000, 'a');
  check_bounded(attack_source({}, repeats("+OK ", much)), ErrorKind::protocol);
  check_bounded(attack_source(logged_in_then({"+OK 1 3\r\n"}), repeats("+OK\r\n1 ", much)),
                ErrorKind::protocol);
}

TEST_CASE("hostile POP3: capabilities without end come to an end") {
  check_bounded(attack_source({"+OK\r\n"}, repeats("+OK\r\n", "X-EVIL\r\n")), ErrorKind::protocol);
}

TEST_CASE("hostile POP3: what is injected behind the answer to STLS is fatal") {
  const Got got = attack_source({"+OK\r\n", "+OK\r\nSTLS\r\n.\r\n"},
                                says("+OK go\r\n+OK injected\r\n"), "pop3://ann@old.example");
  check_bounded(got, ErrorKind::tls);
}

TEST_CASE("hostile POP3: a login exchange without end is left") {
  const std::string sasl = "+OK\r\nSASL PLAIN\r\n.\r\n";
  const Got got = attack_source({"+OK\r\n", sasl}, [](net::Stream& stream) -> Task<void> {
    for (;;) {
      co_await net::write_text(stream, "+ \r\n");
      co_await net::read_line(stream);
    }
  });
  check_bounded(got, ErrorKind::protocol);
}

TEST_CASE("hostile POP3: silence ends at the limit, one byte a minute soon after") {
  for (const std::vector<std::string>& script : {std::vector<std::string>{}, listed()}) {
    check_bounded(attack_source(script, says("")), ErrorKind::transient);
    check_bounded(attack_source(script, repeats("+OK", "x", std::chrono::minutes(1))),
                  ErrorKind::transient);
  }
  check_bounded(attack_source(listed(), repeats("+OK\r\n", "x", std::chrono::minutes(1))),
                ErrorKind::transient);
}

TEST_CASE("hostile POP3: terminal escapes in a refusal are told as text") {
  const Got got =
      attack_source({"+OK\r\n", kCapa, "+OK\r\n"}, says("-ERR \x1b]0;owned\x07 no\r\n"));
  REQUIRE(got.error);
  const std::string text = got.error->what();
  CHECK(text.find("\\x1B]0;owned\\x07") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("hostile POP3: a header line of megabytes is carried whole, and nothing is made of it") {
  const std::string line(3 << 20, 'x');
  const Got got = attack_source(
      listed(), says("+OK\r\nSubject: s\r\nX-Long: " + line + "\r\n\r\nbody\r\n.\r\n"));
  CHECK(got.messages == 1);
}
