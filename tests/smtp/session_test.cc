// Dialogues with servers that exist only on paper: what they say, what must be said, and what comes
// of it.
#include <catch2/catch.hpp>
#include <deque>
#include <sstream>

#include "connectors/base64.h"
#include "connectors/net/memory_stream.h"
#include "connectors/smtp/codec/trace.h"
#include "connectors/smtp/relay.h"
#include "connectors/smtp/session.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/digest.h"
#include "engine/error.h"

using namespace postferry;

namespace {

class Password final : public Credentials {
 public:
  Task<Secret> secret() override { co_return Secret("pa$$word"); }
};

class NoExchangers final : public net::MailExchangers {
 public:
  Task<std::vector<std::string>> look_up(std::string domain, std::string) override {
    std::vector<std::string> hosts;
    hosts.push_back("mx1." + domain);
    hosts.push_back("mx2." + domain);
    co_return hosts;
  }
};

/// Scripts, one a connection: `S: ` the server says; `C: ` the client must say; `TEXT` the client
/// sends a message up to its dot; `CHUNK` it sends one by BDAT; `TLS` the server turns to TLS;
/// `CUT` the line breaks.
struct Dialogue {
  explicit Dialogue(std::vector<std::string> lines) : scripts(lines.begin(), lines.end()) {}

  std::deque<std::string> scripts;
  std::string recipient = "bob@new.example";
  std::vector<std::string> hosts, texts, chunks;
  bool over = false;  // what the session said of itself, after the last message
  std::size_t read_chunk = 1000;

  Task<void> serve(std::unique_ptr<net::MemoryStream> stream, std::string script) {
    std::istringstream lines(script);
    std::string said;
    try {
      for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("S: ")) {
          said += line.substr(3) + "\r\n";
          continue;
        }
        if (!said.empty()) co_await net::write_text(*stream, std::exchange(said, {}));
        if (line == "TLS") {
          co_await stream->start_tls({}, 0);
        } else if (line == "CUT") {
          for (int i = 0; i < 100; ++i) co_await postferry::yield();
          stream->cut();
          co_return;
        } else if (line == "CHUNK") {
          const std::string command = co_await net::read_line(*stream);
          const std::size_t size = std::stoul(command.substr(command.find(' ')));
          texts.push_back(co_await net::read_exactly(*stream, size));
          chunks.push_back(command.ends_with(" LAST") ? "last" : "more");
        } else if (line == "TEXT") {
          std::string text, got;
          do {
            got = co_await net::read_line(*stream);
            text += got + "\n";
          } while (got != ".");
          texts.push_back(std::move(text));
        } else {
          const std::string got = co_await net::read_line(*stream);
          if (got != line.substr(3)) {
            FAIL_CHECK("the client said: " << got << "\nand should say:  " << line.substr(3));
            co_return;
          }
        }
      }
      if (!said.empty()) co_await net::write_text(*stream, std::move(said));
    } catch (const Error&) {
      // The client has left; the test says whether it may.
    }
  }

  void run(const std::string& url, std::function<Task<void>(Relay&)> client) {
    ManualExecutor executor;
    Password password;
    NoExchangers exchangers;
    std::exception_ptr failed;
    block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
               net::ScriptedNetwork network(
                   [&](net::ConnectOptions options) -> Task<std::unique_ptr<net::Stream>> {
                     hosts.push_back(options.host);
                     if (scripts.empty() || scripts.front().empty()) {
                       if (!scripts.empty()) scripts.pop_front();
                       throw Error(ErrorKind::unreachable, "nobody there");
                     }
                     net::PipeOptions pipe;
                     pipe.read_chunk = read_chunk;
                     pipe.encrypted = options.tls.has_value();
                     auto [here, there] = net::make_pipe(pipe);
                     group.spawn(serve(std::move(there), std::move(scripts.front())));
                     scripts.pop_front();
                     co_return std::move(here);
                   });
               ConnectorContext context;
               context.network = &network;
               context.exchangers = &exchangers;
               context.host_name = "us";
               EndSetup setup;
               setup.endpoint = parse_endpoint(url);
               setup.endpoint.recipient = recipient;
               setup.endpoint.envelope_sender = "ann@old.example";
               setup.credentials = &password;
               const std::unique_ptr<Relay> relay = smtp::make_relay(context, std::move(setup));
               try {
                 co_await client(*relay);
               } catch (...) {
                 failed = std::current_exception();
               }
               co_await group.join();
             }));
    if (failed) std::rethrow_exception(failed);
  }

  /// What becomes of messages that are sent one after the other.
  std::vector<RelayResult> send(const std::string& url, std::vector<std::string> messages) {
    std::vector<RelayResult> results;
    run(url, [&](Relay& relay) -> Task<void> {
      const std::unique_ptr<RelaySession> session = co_await relay.connect();
      std::uint32_t uid = 0;
      for (const std::string& text : messages) {
        Message message;
        message.key = MessageKey(Uid{++uid});
        message.body = Body(text);
        RelayResult result = co_await session->send(message);
        results.push_back(std::move(result));
        over = session->over();
      }
    });
    return results;
  }

  ErrorKind failure(const std::string& url, std::vector<std::string> messages = {}) {
    try {
      send(url, std::move(messages));
    } catch (const Error& error) {
      return error.kind();
    }
    FAIL("nothing was thrown");
    return ErrorKind::usage;
  }
};

const std::string kLetter = "Subject: s\r\n\r\ntext\r\n";
const std::string kMail = "C: MAIL FROM:<ann@old.example>\n";
const std::string kRcpt = "C: RCPT TO:<bob@new.example>\n";
const std::string kPlain = "smtp://mail.example?tls=none";

/// A session with PIPELINING that has said hello.
std::string greeted(const std::string& rest) {
  return "S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250 PIPELINING\n" + rest;
}
/// An envelope that is taken, and the message.
std::string taken(const std::string& rest) {
  return kMail + kRcpt + "C: DATA\nS: 250 a\nS: 250 b\nS: 354 go\nTEXT\n" + rest;
}

template <class Result>
bool is(const RelayResult& result) {
  return std::holds_alternative<Result>(result);
}

}  // namespace

TEST_CASE("several messages go over one connection, each in one volley and one text") {
  Dialogue dialogue({greeted(taken("S: 250 queued\n") + taken("S: 250 queued\n"))});
  dialogue.read_chunk = GENERATE(std::size_t{1}, std::size_t{1000});
  const auto results = dialogue.send(kPlain, {kLetter, ".dot\r\n"});
  REQUIRE(results.size() == 2);
  CHECK(is<Delivered>(results[0]));
  CHECK(is<Delivered>(results[1]));
  CHECK(dialogue.texts.at(0).ends_with("Subject: s\n\ntext\n.\n"));
  CHECK(dialogue.texts.at(1).ends_with("..dot\n.\n"));
}

TEST_CASE(
    "without PIPELINING each command waits for its answer, and with HELO alone nothing is asked") {
  Dialogue dialogue({"S: 220 hi\nC: EHLO us\nS: 500 what\nC: HELO us\nS: 250 mx\n" + kMail +
                     "S: 250 a\n" + kRcpt + "S: 250 b\nC: DATA\nS: 354 go\nTEXT\nS: 250 c\n"});
  CHECK(is<Delivered>(dialogue.send(kPlain, {kLetter}).at(0)));
}

TEST_CASE("STARTTLS is required for submission, and EHLO is said again behind it") {
  Dialogue without({"S: 220 hi\nC: EHLO us\nS: 250 mx\n"});
  CHECK(without.failure("smtp://mail.example") == ErrorKind::tls);
  using namespace std::string_literals;
  Dialogue with(
      {"S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250-AUTH CRAM-MD5\nS: 250 STARTTLS\n"
       "C: STARTTLS\nS: 220 go\nTLS\nC: EHLO us\nS: 250-mx\nS: 250 AUTH PLAIN\n"
       "C: AUTH PLAIN " +
       base64_encode("\0ann\0pa$$word"s) + "\nS: 235 yes\nC: EHLO us\nS: 250 mx\n"});
  CHECK(with.send("smtp://ann@mail.example", {}).empty());
}

TEST_CASE("what was said before TLS begins is no server's word") {
  Dialogue dialogue(
      {"S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS: 250 "
       "injected\n"});
  CHECK(dialogue.failure("smtp://mail.example") == ErrorKind::tls);
}

TEST_CASE("a login that is refused is told from one that is not possible now") {
  const std::string offer =
      "S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: "
      "YW5u\nS: 334 UGFzc3dvcmQ6\nC: " +
      base64_encode("pa$$word") + "\n";
  CHECK(Dialogue({offer + "S: 535 5.7.8 no\n"}).failure("smtps://ann@mail.example") ==
        ErrorKind::auth);
  CHECK(Dialogue({offer + "S: 454 4.7.0 later\n"}).failure("smtps://ann@mail.example") ==
        ErrorKind::transient);
  CHECK(Dialogue({"S: 220 hi\nC: EHLO us\nS: 250 mx\n"}).failure("smtps://ann@mail.example") ==
        ErrorKind::auth);
}

TEST_CASE("a greeting says whether we may come again") {
  CHECK(Dialogue({"S: 421 busy\n"}).failure(kPlain) == ErrorKind::transient);
  CHECK(Dialogue({"S: 554 go away\n"}).failure(kPlain) == ErrorKind::rejected);
  CHECK(Dialogue({"S: * OK IMAP4rev1\n"}).failure(kPlain) == ErrorKind::protocol);
}

TEST_CASE("the answer to a whole message decides, by its code") {
  const auto verdict = [](const std::string& answer) {
    return Dialogue({greeted(taken("S: " + answer + "\n"))}).send(kPlain, {kLetter}).at(0);
  };
  CHECK(is<Delivered>(verdict("250 2.0.0 queued as X")));
  CHECK(is<Deferred>(verdict("451 4.7.1 greylisted")));
  CHECK(is<Deferred>(verdict("452 4.3.1 no room now")));
  CHECK(is<Deferred>(verdict("421 closing")));
  const RelayResult large = verdict("552 5.3.4 too large");
  REQUIRE(is<Refused>(large));
  CHECK_FALSE(std::get<Refused>(large).all);
  const RelayResult policy = verdict("554 5.7.1 spam");
  REQUIRE(is<Refused>(policy));
  CHECK(std::get<Refused>(policy).all);
  CHECK(Dialogue({greeted(taken("S: 552 5.2.2 full\n"))}).failure(kPlain, {kLetter}) ==
        ErrorKind::quota);
}

TEST_CASE("a recipient that is refused is everybody's refusal, one that is put off is not") {
  CHECK(Dialogue({greeted(kMail + kRcpt + "C: DATA\nS: 250 a\nS: 550 5.1.1 nobody\nS: 554 no\n")})
            .failure(kPlain, {kLetter}) == ErrorKind::rejected);
  Dialogue grey(
      {greeted(kMail + kRcpt + "C: DATA\nS: 250 a\nS: 450 4.7.1 later\nS: 554 no\nC: RSET\n" +
               taken("S: 250 r\nS: 250 c\n"))});
  // After the refusal the next envelope begins anew.
  grey.scripts.front() =
      greeted(kMail + kRcpt + "C: DATA\nS: 250 a\nS: 450 4.7.1 later\nS: 554 no\nC: RSET\n" +
              kMail + kRcpt + "C: DATA\nS: 250 r\nS: 250 a\nS: 250 b\nS: 354 go\nTEXT\nS: 250 c\n");
  const auto results = grey.send(kPlain, {kLetter, kLetter});
  CHECK(is<Deferred>(results.at(0)));
  CHECK(is<Delivered>(results.at(1)));
}

TEST_CASE("a server that wants text for nobody gets none") {
  Dialogue dialogue({greeted(kMail + kRcpt +
                             "C: DATA\nS: 250 a\nS: 450 later\nS: 354 go\nC: .\nS: 503 nobody\n")});
  CHECK(is<Deferred>(dialogue.send(kPlain, {kLetter}).at(0)));
}

TEST_CASE("a line cut before the message's end is no doubt, after it there is one") {
  CHECK(Dialogue({greeted(kMail + kRcpt + "C: DATA\nCUT\n")}).failure(kPlain, {kLetter}) ==
        ErrorKind::transient);
  CHECK(Dialogue({greeted(kMail + kRcpt + "C: DATA\nS: 250 a\nS: 250 b\nS: 421 bye\n")})
            .failure(kPlain, {kLetter}) == ErrorKind::transient);
  CHECK(is<Undecided>(Dialogue({greeted(taken("CUT\n"))}).send(kPlain, {kLetter}).at(0)));
  CHECK(is<Undecided>(Dialogue({greeted(taken("S: 25\nCUT\n"))}).send(kPlain, {kLetter}).at(0)));
}

TEST_CASE("with CHUNKING the bytes go as they are, in parts where there are many") {
  const std::string hello =
      "S: 220 hi\nC: LHLO us\nS: 250-mx\nS: 250-CHUNKING\nS: 250 PIPELINING\n";
  const std::string open = kMail + kRcpt + "S: 250 a\nS: 250 b\n";
  Dialogue dialogue({hello + open + "CHUNK\nS: 250 saved\n" + open +
                     "CHUNK\nS: 250 go on\nCHUNK\nS: 250 saved\n"});
  const std::string large(300'000, 'x');
  const auto results = dialogue.send("lmtp://mail.example", {"\r\n.dot\nbare", "\r\n" + large});
  CHECK(is<Delivered>(results.at(0)));
  CHECK(is<Delivered>(results.at(1)));
  CHECK(dialogue.texts.at(0).ends_with("+0000\r\n\r\n.dot\nbare"));
  CHECK((dialogue.texts.at(1) + dialogue.texts.at(2)).ends_with("\r\n\r\n" + large));
  CHECK(dialogue.chunks == std::vector<std::string>{"last", "more", "last"});
}

TEST_CASE(
    "a chunk that is refused early ends the message, and a cut before the last byte is no doubt") {
  const std::string hello =
      "S: 220 hi\nC: LHLO us\nS: 250-mx\nS: 250-CHUNKING\nS: 250 PIPELINING\n";
  const std::string open = kMail + kRcpt + "S: 250 a\nS: 250 b\n";
  const std::string large(600'000, 'x');
  CHECK(is<Refused>(Dialogue({hello + open + "CHUNK\nS: 554 5.6.0 no\n"})
                        .send("lmtp://mail.example", {large})
                        .at(0)));
  CHECK(Dialogue({hello + open + "CHUNK\nCUT\n"}).failure("lmtp://mail.example", {large}) ==
        ErrorKind::transient);
  CHECK(is<Undecided>(
      Dialogue({hello + open + "CHUNK\nCUT\n"}).send("lmtp://mail.example", {kLetter}).at(0)));
}

namespace {

/// A line whose turn to write comes late.
class LateStream final : public net::Stream {
 public:
  Task<std::size_t> read(std::span<char>) override { co_return 0; }
  Task<void> write(std::vector<std::string_view>) override {
    co_await sleep_for(std::chrono::hours(1));
    ++written;
  }
  Task<void> start_tls(net::TlsOptions, std::size_t) override { co_return; }
  bool encrypted() const override { return false; }
  std::string channel_binding(std::string_view) const override { return {}; }
  Task<void> close() override { co_return; }
  int written = 0;
};

}  // namespace

TEST_CASE("waiting for a turn to write is no silence of the server") {
  ManualExecutor executor;
  auto stream = std::make_unique<LateStream>();
  const LateStream& line = *stream;
  smtp::Session session(std::move(stream), "target", std::chrono::seconds(1));
  block_on(executor, session.send_bytes("text"));
  CHECK(line.written == 1);
}

TEST_CASE("what cannot be sent is not, and the session goes on") {
  Dialogue dialogue({"S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250-SIZE 400\nS: 250 PIPELINING\n"});
  const std::string circled =
      "Received: a\r\n\twith postferry id " + smtp::loop_token("bob@new.example") + ".1; x\r\n\r\n";
  std::string travelled;
  for (std::size_t i = 0; i <= smtp::kMaxReceived; ++i) travelled += "Received: x\r\n";
  const auto results = dialogue.send(
      kPlain, {kLetter + std::string(400, 'x'), circled, "\xE9\r\n", travelled + "\r\n"});
  for (const RelayResult& result : results) CHECK(is<Refused>(result));
}

TEST_CASE("MX hosts are tried in order, TLS is taken when it is offered and required on request") {
  Dialogue dialogue({"", "S: 220 hi\nC: EHLO us\nS: 250 mx\n"});
  CHECK(dialogue.send("mx:new.example", {}).empty());
  CHECK(dialogue.hosts == std::vector<std::string>{"mx1.new.example", "mx2.new.example"});
  Dialogue tls(
      {"S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO "
       "us\nS: 250 mx\n"});
  CHECK(tls.send("mx:new.example", {}).empty());
  CHECK(Dialogue({"S: 220 hi\nC: EHLO us\nS: 250 mx\n"}).failure("mx:new.example?tls=required") ==
        ErrorKind::tls);
}

TEST_CASE("an address that is not ASCII is said by SMTPUTF8, or not at all") {
  const std::string hello = "S: 220 hi\nC: EHLO us\nS: 250-mx\n";
  const std::string letter = "C: DATA\nS: 354 go\nTEXT\nS: 250 c\n";
  Dialogue with({hello +
                 "S: 250 SMTPUTF8\nC: MAIL FROM:<ann@old.example> SMTPUTF8\nS: 250 a\n"
                 "C: RCPT TO:<bøb@new.example>\nS: 250 b\n" +
                 letter});
  with.recipient = "bøb@new.example";
  CHECK(is<Delivered>(with.send(kPlain, {kLetter}).at(0)));
  Dialogue without({hello + "S: 250 8BITMIME\n"});
  without.recipient = with.recipient;
  const RelayResult result = without.send(kPlain, {kLetter}).at(0);
  REQUIRE(is<Refused>(result));
  CHECK_THAT(std::get<Refused>(result).text, Catch::Contains("SMTPUTF8"));
}

TEST_CASE("with DSN nobody is told of a message that moves, and its name is the same at each try") {
  std::string id;
  const Sha256 hash = sha256(MessageKey(Uid{1}).to_string());
  for (std::size_t i = 0; i < 8; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", hash[i]);
    id += digits;
  }
  const std::string envelope =
      "C: MAIL FROM:<ann@old.example> RET=HDRS ENVID=" + smtp::loop_token("bob@new.example") + "." +
      id + "\nS: 250 a\nC: RCPT TO:<bob@new.example> NOTIFY=NEVER\n";
  const std::string hello = "S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250 DSN\n";
  for (const char* end : {"S: 250 b\nC: DATA\nS: 354 go\nTEXT\nS: 250 c\n", "S: 450 later\n"}) {
    Dialogue dialogue({hello + envelope + end});
    dialogue.send(kPlain, {kLetter});
    CHECK(dialogue.scripts.empty());
  }
}

TEST_CASE("a server that takes so many messages a connection gets no more") {
  const std::string hello = "S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250-PIPELINING\nS: 250 ";
  Dialogue two(
      {hello + "LIMITS RCPTMAX=100 MAILMAX=2\n" + taken("S: 250 a\n") + taken("S: 250 b\n")});
  CHECK(two.send(kPlain, {kLetter}).size() == 1);
  CHECK_FALSE(two.over);
  Dialogue again(
      {hello + "LIMITS RCPTMAX=100 MAILMAX=2\n" + taken("S: 250 a\n") + taken("S: 250 b\n")});
  CHECK(again.send(kPlain, {kLetter, kLetter}).size() == 2);
  CHECK(again.over);
  Dialogue closing({greeted(taken("S: 421 closing\n"))});
  CHECK(is<Deferred>(closing.send(kPlain, {kLetter}).at(0)));
  CHECK(closing.over);
}

TEST_CASE("OAuth: a refused token's reason is heard, and another token is tried once") {
  const std::string login = "C: AUTH XOAUTH2 " +
                            base64_encode(
                                "user=ann\x01"
                                "auth=Bearer pa$$word\x01\x01") +
                            "\n";
  const std::string refusal =
      "S: 334 " + base64_encode("{\"status\":\"401\"}") + "\nC: \nS: 535 5.7.8 no\n";
  const std::string hello = "S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250 AUTH XOAUTH2 PLAIN\n";
  const std::string url = "smtps://ann@mail.example?auth=xoauth2";
  Dialogue renewed({hello + login + refusal + login + "S: 235 yes\nC: EHLO us\nS: 250 mx\n"});
  CHECK(renewed.send(url, {}).empty());
  Dialogue refused({hello + login + refusal + login + refusal});
  try {
    refused.send(url, {});
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::auth);
    CHECK_THAT(error.what(), Catch::Contains("401"));
  }
}

TEST_CASE("OAuth: a token that is too long for a command line waits for the server's challenge") {
  const std::string hello = "S: 220 hi\nC: EHLO us\nS: 250-mx\nS: 250 AUTH XOAUTH2\n";
  const std::string url = "smtps://" + std::string(400, 'a') + "@mail.example?auth=xoauth2";
  const std::string response = base64_encode("user=" + std::string(400, 'a') +
                                             "\x01"
                                             "auth=Bearer pa$$word\x01\x01");
  Dialogue dialogue({hello + "C: AUTH XOAUTH2\nS: 334 \nC: " + response +
                     "\nS: 235 yes\nC: EHLO us\nS: 250 mx\n"});
  CHECK(dialogue.send(url, {}).empty());
}
