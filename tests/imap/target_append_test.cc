// APPEND in all its modes: what goes over the wire, and what becomes of refusals.
#include <catch2/catch.hpp>
#include <deque>

#include "connectors/imap/appender.h"
#include "engine/async/event.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

Message message(std::string body, const char* flags = "") {
  Message m;
  m.key = MessageKey(Uid{1});
  m.flags = Flags::parse(flags);
  m.body = Body(std::move(body));
  return m;
}

class ListFeed final : public AppendFeed {
 public:
  explicit ListFeed(std::vector<std::vector<Message>> batches) {
    for (auto& messages : batches) {
      Batch batch;
      batch.id = static_cast<std::int64_t>(waiting_.size()) + 1;
      for (const Message& m : messages) batch.bytes += m.body.size_bytes();
      batch.messages = std::move(messages);
      waiting_.push_back(std::move(batch));
    }
  }
  Task<std::optional<Batch>> next() override {
    if (waiting_.empty()) {
      if (never_ends_) co_await Event().wait();
      co_return std::nullopt;
    }
    Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    co_return batch;
  }
  Task<void> done(Batch batch, std::vector<AppendResult> results) override {
    ++answered;
    for (const AppendResult& result : results) {
      const auto* stored = std::get_if<Stored>(&result);
      plain_may_pass = !stored && std::get<Rejected>(result).plain_may_pass;
      told += fmt::format(
          "{}:{} ", batch.id,
          stored ? std::to_string(stored->uid.value) : "'" + std::get<Rejected>(result).text + "'");
    }
    co_return;
  }
  void never_end() { never_ends_ = true; }

  int answered = 0;             // batches
  bool plain_may_pass = false;  // the last
  std::string told;             // "batch:uid " or "batch:'words' " for each message

 private:
  std::deque<Batch> waiting_;
  bool never_ends_ = false;
};

AppendTraits all_extensions() {
  AppendTraits traits;
  traits.literals = LiteralMode::kLiteralPlus;
  traits.multiappend = true;
  traits.uidplus = true;
  return traits;
}

Client in_box(std::function<Task<void>(std::shared_ptr<Line>)> talk) {
  return [talk = std::move(talk)](std::unique_ptr<net::Stream> stream) -> Task<void> {
    auto session = std::make_unique<Session>(std::move(stream), "target imaps://ann@new.example");
    co_await talk(std::make_shared<Line>(std::move(session)));
  };
}

struct Outcome {
  std::string told;
  int answered = 0;
  std::uint64_t dropped = 0;
  std::optional<Error> error;
};

// The outcome must be the same in both cuts: the last one is returned.
Outcome append(const Dialogue& dialogue, AppendTraits traits,
               const std::vector<std::vector<Message>>& batches,
               const std::function<void(Selected&, Session&)>& prepare = {},
               bool never_ends = false) {
  Outcome outcome;
  converse(dialogue, in_box([&](std::shared_ptr<Line> line) -> Task<void> {
             ListFeed feed(batches);
             if (never_ends) feed.never_end();
             Selected folder = folder_selected("Box");
             if (prepare) prepare(folder, line->session());
             Party party(line, Access::write, folder);
             outcome = {};
             try {
               co_await append_feed(party, traits, feed, outcome.dropped);
             } catch (const Error& error) {
               outcome.error = error;
             }
             outcome.told = feed.told;
             outcome.answered = feed.answered;
           }));
  return outcome;
}

}  // namespace

TEST_CASE("a batch goes out as one MULTIAPPEND without waiting, and its UIDs pair in order") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" (\\Seen Work) \"07-Nov-2016 10:11:12 +0100\" {5+}")
      .c("one\r\n {5+}")
      .c("two\r\n")
      .c("A2 APPEND \"Box\" {3+}")
      .c("abc")
      .s("A1 OK [APPENDUID 7 10:11] done")
      .s("A2 OK [APPENDUID 7 12] done");
  Message dated = message("one\r\n", "\\Seen Work");
  dated.date = InternalDate{1478509872, 60};
  const Outcome outcome =
      append(d, all_extensions(), {{dated, message("two\r\n")}, {message("abc")}});
  CHECK(outcome.told == "1:10 1:11 2:12 ");
  CHECK(!outcome.error);
}

TEST_CASE("without MULTIAPPEND a batch goes out as pipelined APPENDs") {
  AppendTraits traits = all_extensions();
  traits.multiappend = false;
  Dialogue d;
  d.c("A1 APPEND \"Box\" {3+}").c("abc").c("A2 APPEND \"Box\" {2+}").c("de");
  d.s("A1 OK [APPENDUID 7 10] done").s("A2 OK [APPENDUID 7 11] done");
  CHECK(append(d, traits, {{message("abc"), message("de")}}).told == "1:10 1:11 ");
}

TEST_CASE(
    "a synchronising literal waits, and the next command goes with the end of the one before") {
  AppendTraits traits = all_extensions();
  traits.multiappend = false;
  traits.literals = LiteralMode::kSynchronising;
  Dialogue d;
  d.c("A1 APPEND \"Box\" {3}").s("+ go").bytes("abc\r\nA2 APPEND \"Box\" {2}\r\n");
  d.s("A1 OK [APPENDUID 7 10] done").s("+").c("de").s("A2 OK done");
  CHECK(append(d, traits, {{message("abc"), message("de")}}).told == "1:10 1:0 ");
}

TEST_CASE("MULTIAPPEND works with synchronising literals") {
  AppendTraits traits = all_extensions();
  traits.literals = LiteralMode::kSynchronising;
  Dialogue d;
  d.c("A1 APPEND \"Box\" {3}").s("+ go").bytes("abc {2}\r\n").s("+").c("de");
  d.s("A1 OK [APPENDUID 7 3,9] done");
  CHECK(append(d, traits, {{message("abc"), message("de")}}).told == "1:3 1:9 ");
}

TEST_CASE("LITERAL- waits only for literals above 4096 octets") {
  AppendTraits traits = all_extensions();
  traits.multiappend = false;
  traits.literals = LiteralMode::kLiteralMinus;
  const std::string big(4097, 'x');
  Dialogue d;
  d.c("A1 APPEND \"Box\" {3+}").c("abc").c("A2 APPEND \"Box\" {4097}");
  d.s("A1 OK [APPENDUID 7 10] done").s("+ go").c(big).s("A2 OK [APPENDUID 7 11] done");
  CHECK(append(d, traits, {{message("abc"), message(big)}}).told == "1:10 1:11 ");
}

TEST_CASE("a message refused before its literal is not sent, and those after it are") {
  AppendTraits traits = all_extensions();
  traits.multiappend = false;
  traits.literals = LiteralMode::kSynchronising;
  Dialogue d;
  d.c("A1 APPEND \"Box\" {3}").s("A1 NO [TOOBIG] too big for us");
  d.c("A2 APPEND \"Box\" {2}").s("+").c("de").s("A2 OK [APPENDUID 7 11] done");
  CHECK(append(d, traits, {{message("abc"), message("de")}}).told ==
        "1:'[TOOBIG] too big for us' 1:11 ");
}

TEST_CASE("a refused MULTIAPPEND is bisected down to the bad message, in order") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a {1+}").c("b {1+}").c("c {1+}").c("d");
  d.s("A1 NO Message contains bare newlines");
  d.c("A2 APPEND \"Box\" {1+}").c("a {1+}").c("b").s("A2 OK [APPENDUID 7 1:2] done");
  d.c("A3 APPEND \"Box\" {1+}").c("c {1+}").c("d").s("A3 NO Message contains bare newlines");
  d.c("A4 APPEND \"Box\" {1+}").c("c").s("A4 NO Message contains bare newlines");
  d.c("A5 APPEND \"Box\" {1+}").c("d").s("A5 OK [APPENDUID 7 3] done");
  CHECK(append(d, all_extensions(), {{message("a"), message("b"), message("c"), message("d")}})
            .told == "1:1 1:2 1:'Message contains bare newlines' 1:3 ");
}

TEST_CASE("a batch already under way is answered before a refused one is repaired") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a {1+}").c("b").c("A2 APPEND \"Box\" {1+}").c("c");
  d.s("A1 NO bad").s("A2 OK [APPENDUID 7 5] done");
  d.c("A3 APPEND \"Box\" {1+}").c("a").s("A3 NO bad a");
  d.c("A4 APPEND \"Box\" {1+}").c("b").s("A4 OK [APPENDUID 7 6] done");
  CHECK(append(d, all_extensions(), {{message("a"), message("b")}, {message("c")}}).told ==
        "1:'bad a' 1:6 2:5 ");
}

TEST_CASE("a message refused for its keywords is stored without them, and they are counted") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" (\\Seen Odd Work) {1+}").c("a").s("A1 NO Keyword not allowed");
  d.c("A2 APPEND \"Box\" (\\Seen) {1+}").c("a").s("A2 OK [APPENDUID 7 6] done");
  const Outcome outcome = append(d, all_extensions(), {{message("a", "\\Seen Odd Work")}});
  CHECK(outcome.told == "1:6 ");
  CHECK(outcome.dropped == 2);
}

TEST_CASE("a quota that is met while a message is repeated is no refusal of the message") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" (Odd) {1+}").c("a").s("A1 NO Keyword not allowed");
  d.c("A2 APPEND \"Box\" {1+}").c("a").s("A2 NO [OVERQUOTA] full");
  const Outcome outcome = append(d, all_extensions(), {{message("a", "Odd")}});
  REQUIRE(outcome.error);
  CHECK(outcome.error->kind() == ErrorKind::quota);
  CHECK(outcome.told.find('\'') == std::string::npos);
}

TEST_CASE("a BAD to a literal that did not wait is tried with one that does") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a").s("A1 BAD Command Argument Error. 11");
  d.c("A2 APPEND \"Box\" {1}").s("+").c("a").s("A2 OK [APPENDUID 7 6] done");
  CHECK(append(d, all_extensions(), {{message("a")}}).told == "1:6 ");
}

TEST_CASE("flags that the folder does not keep are left out and counted") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" (\\Seen WORK) {1+}").c("a").s("A1 OK [APPENDUID 7 6] done");
  const Outcome outcome =
      append(d, all_extensions(), {{message("a", "\\Seen \\Draft WORK Other")}},
             [](Selected& folder, Session&) {
               folder.permanent_flags = std::vector<std::string>{"\\Seen", "work"};
             });
  CHECK(outcome.dropped == 2);
}

TEST_CASE("a message above APPENDLIMIT is refused without being sent") {
  AppendTraits traits = all_extensions();
  traits.limit_bytes = 3;
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a").c("A2 APPEND \"Box\" {1+}").c("b");
  d.s("A1 OK [APPENDUID 7 1] done").s("A2 OK [APPENDUID 7 2] done");
  CHECK(append(d, traits, {{message("a"), message("long"), message("b")}}).told ==
        "1:1 1:'4 bytes are more than the server's APPENDLIMIT of 3' 1:2 ");
}

TEST_CASE("an APPENDUID of another UIDVALIDITY or count stops the folder") {
  const std::string code = GENERATE("8 1:2", "7 1", "7 1:3");
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a {1+}").c("b").s("A1 OK [APPENDUID " + code + "] done");
  const Outcome outcome = append(d, all_extensions(), {{message("a"), message("b")}}, {}, true);
  CHECK(outcome.told.empty());
  REQUIRE(outcome.error);
  CHECK(outcome.error->kind() == ErrorKind::protocol);
}

TEST_CASE("throttling and a folder that went stop the feed, each with its kind and words") {
  struct Case {
    const char* answer;
    ErrorKind kind;
  };
  const Case given = GENERATE(
      Case{"NO [OVERQUOTA] Account exceeded command or bandwidth limits", ErrorKind::throttled},
      Case{"NO [TRYCREATE] Mailbox doesn't exist: Box", ErrorKind::transient},
      Case{"NO [SERVERBUG] Internal error occurred", ErrorKind::transient},
      Case{"NO [NOPERM] Permission denied", ErrorKind::rejected},
      Case{"BAD Request is throttled. Suggested Backoff Time: 12345 milliseconds",
           ErrorKind::throttled});
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a {1+}").c("b").s(std::string("A1 ") + given.answer);
  const Outcome outcome = append(d, all_extensions(), {{message("a"), message("b")}}, {}, true);
  REQUIRE(outcome.error);
  CHECK(outcome.error->kind() == given.kind);
  CHECK(outcome.error->message() == std::string("APPEND was refused: ") + given.answer);
  CHECK(outcome.told.empty());
  if (std::string(given.answer).find("12345") != std::string::npos) {
    CHECK(outcome.error->retry_after() == std::chrono::milliseconds(12345));
  }
}

TEST_CASE("a folder that the server forbids leaves no batch open") {
  const char* const no = "NO [NOPERM] Permission denied";
  const std::vector<std::vector<Message>> batches{{message("a"), message("b")}, {message("c")}};
  SECTION("where all is sent at once") {
    Dialogue d;
    d.c("A1 APPEND \"Box\" {1+}").c("a {1+}").c("b").c("A2 APPEND \"Box\" {1+}").c("c");
    d.s(fmt::format("A1 {}", no)).s(fmt::format("A2 {}", no));
    const Outcome outcome = append(d, all_extensions(), batches, {}, true);
    REQUIRE(outcome.error);
    CHECK(outcome.error->kind() == ErrorKind::rejected);
    CHECK(outcome.answered == 2);
    CHECK(outcome.told.empty());
  }
  SECTION("where literals wait") {
    AppendTraits traits;
    traits.uidplus = true;
    Dialogue d;
    d.c("A1 APPEND \"Box\" {1}").s("+").c("a").s("A1 OK [APPENDUID 7 1]");
    d.c("A2 APPEND \"Box\" {1}").s(fmt::format("A2 {}", no));
    const Outcome outcome = append(d, traits, {batches[0]});
    REQUIRE(outcome.error);
    CHECK(outcome.answered == 1);
    CHECK(outcome.told == "1:1 ");
  }
}

TEST_CASE("a batch that has no room as a whole is halved, until one message alone has none") {
  const char* const full = "NO [OVERQUOTA] Quota exceeded (mailbox for user is full)";
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a {1+}").c("b {9+}").c("too large {1+}").c("c");
  d.c("A2 APPEND \"Box\" {1+}").c("d");
  d.s(fmt::format("A1 {}", full)).s("A2 OK [APPENDUID 7 3]");
  d.c("A3 APPEND \"Box\" {1+}").c("a {1+}").c("b").s("A3 OK [APPENDUID 7 4:5]");
  d.c("A4 APPEND \"Box\" {9+}").c("too large {1+}").c("c").s(fmt::format("A4 {}", full));
  d.c("A5 APPEND \"Box\" {9+}").c("too large").s(fmt::format("A5 {}", full));
  const std::vector<Message> four{message("a"), message("b"), message("too large"), message("c")};
  const Outcome outcome = append(d, all_extensions(), {four, {message("d")}}, {}, true);
  REQUIRE(outcome.error);
  CHECK(outcome.error->kind() == ErrorKind::quota);
  CHECK(outcome.error->message() == std::string("APPEND was refused: ") + full);
  // What has been stored is told, so that nobody has to look for it.
  CHECK(outcome.told == "1:4 1:5 2:3 ");
}

TEST_CASE("where literals wait, the first message that has no room ends the feed") {
  AppendTraits traits;
  traits.uidplus = true;
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1}").s("+").c("a").s("A1 OK [APPENDUID 7 1]");
  d.c("A2 APPEND \"Box\" {1}").s("A2 NO [OVERQUOTA] full");
  d.c("A3 APPEND \"Box\" {1}").s("+").c("c").s("A3 OK [APPENDUID 7 2]");
  const Outcome outcome =
      append(d, traits, {{message("a"), message("b"), message("c")}, {message("d")}});
  REQUIRE(outcome.error);
  CHECK(outcome.error->kind() == ErrorKind::quota);
  CHECK(outcome.told == "1:1 1:2 ");
}

TEST_CASE("a server that says BYE in the middle ends the feed in its own words") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("a").s("* BYE Server shutting down.").hangs_up();
  const Outcome outcome = append(d, all_extensions(), {{message("a")}}, {}, true);
  REQUIRE(outcome.error);
  CHECK(outcome.error->kind() == ErrorKind::transient);
  CHECK(outcome.error->message() == "the server said goodbye: Server shutting down.");
}

TEST_CASE("a body with a NUL goes out as literal8 where BINARY is offered") {
  AppendTraits traits = all_extensions();
  const bool binary = GENERATE(true, false);
  traits.binary = binary;
  const std::string body("a\0b", 3);
  Dialogue d;
  d.c(std::string("A1 APPEND \"Box\" ") + (binary ? "~" : "") + "{3+}").c(body);
  d.s("A1 OK [APPENDUID 7 1] done");
  CHECK(append(d, traits, {{message(body)}}).told == "1:1 ");
}

TEST_CASE("but not if a part says it is binary: servers would rewrite it in base64") {
  AppendTraits traits = all_extensions();
  traits.binary = true;
  const std::string body =
      std::string("CONTENT-Transfer-Encoding:\r\n\tBinary\r\n\r\na") + std::string("\0b", 2);
  Dialogue d;
  d.c(fmt::format("A1 APPEND \"Box\" {{{}+}}", body.size())).c(body);
  d.s("A1 OK [APPENDUID 7 1] done");
  CHECK(append(d, traits, {{message(body)}}).told == "1:1 ");
}

TEST_CASE("a NUL is not sent to a server that would hang up") {
  AppendTraits traits = all_extensions();
  traits.nul_ends_session = true;
  Dialogue d;
  d.c("A1 APPEND \"Box\" {1+}").c("b").s("A1 OK [APPENDUID 7 1] done");
  CHECK(append(d, traits, {{message(std::string("\0", 1)), message("b")}}).told ==
        "1:'the message holds a NUL byte, which this server never takes' 1:1 ");
}

TEST_CASE("a streamed body goes out alone, with its exact length, as it comes") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" {8+}").c("firstsec").s("A1 OK [APPENDUID 7 1] done");
  Outcome outcome;
  converse(d, in_box([&](std::shared_ptr<Line> line) -> Task<void> {
             const auto pipe = std::make_shared<BodyPipe>(8);
             Message streamed;
             streamed.body = Body(pipe);
             ListFeed feed({{streamed}});
             Party party(line, Access::write, folder_selected("Box"));
             co_await with_group([&](TaskGroup& group) -> Task<void> {
               group.spawn([pipe]() -> Task<void> {
                 co_await pipe->push("first");
                 co_await pipe->push("sec");
                 pipe->close();
               });
               co_await append_feed(party, all_extensions(), feed, outcome.dropped);
             });
             outcome.told = feed.told;
           }));
  CHECK(outcome.told == "1:1 ");
}

TEST_CASE("a streamed body that is refused for its keywords, or its literal, may pass if plain") {
  const auto [flags, refusal, may_pass] =
      GENERATE(std::tuple("(Odd) ", "NO Keyword not allowed", true), std::tuple("", "NO no", false),
               std::tuple("", "BAD Command Argument Error. 11", true));
  Dialogue d;
  d.c(fmt::format("A1 APPEND \"Box\" {}{{8+}}", flags)).c("firstsec");
  d.s(fmt::format("A1 {}", refusal));
  std::optional<bool> told;
  converse(d, in_box([&, keyword = std::string(flags)](std::shared_ptr<Line> line) -> Task<void> {
             const auto pipe = std::make_shared<BodyPipe>(8);
             Message streamed = message("", keyword.empty() ? "" : "Odd");
             streamed.body = Body(pipe);
             ListFeed feed({{streamed}});
             Party party(line, Access::write, folder_selected("Box"));
             std::uint64_t dropped = 0;
             co_await pipe->push("firstsec");
             pipe->close();
             co_await append_feed(party, all_extensions(), feed, dropped);
             told = feed.plain_may_pass;
           }));
  CHECK(told == may_pass);
}

TEST_CASE("in the plainest form a message goes without keywords, and they are counted") {
  AppendTraits traits = all_extensions();
  traits.plain = true;
  traits.literals = LiteralMode::kSynchronising;
  Dialogue d;
  d.c("A1 APPEND \"Box\" (\\Seen) {1}").s("+").c("a").s("A1 OK [APPENDUID 7 6] done");
  const Outcome outcome = append(d, traits, {{message("a", "\\Seen Odd Work")}});
  CHECK(outcome.told == "1:6 ");
  CHECK(outcome.dropped == 2);
}

TEST_CASE("a source that dies in the middle of a streamed body ends the append") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" {8+}").bytes("first");
  std::optional<Error> error;
  converse(d, in_box([&](std::shared_ptr<Line> line) -> Task<void> {
             const auto pipe = std::make_shared<BodyPipe>(8);
             Message streamed;
             streamed.body = Body(pipe);
             ListFeed feed({{streamed}});
             Party party(line, Access::write, folder_selected("Box"));
             std::uint64_t dropped = 0;
             co_await pipe->push("first");
             pipe->close();
             error = co_await failure_of(append_feed(party, all_extensions(), feed, dropped));
           }));
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::transient);
}

TEST_CASE("Exchange loses \\Flagged at APPEND: it is stored after") {
  Dialogue d;
  d.c("A1 APPEND \"Box\" (\\Flagged) {1+}").c("a").s("A1 OK [APPENDUID 7 4] done");
  d.c("A2 UID STORE 4 +FLAGS.SILENT (\\Flagged)").s("A2 OK done");
  const Outcome outcome =
      append(d, all_extensions(), {{message("a", "\\Flagged")}},
             [](Selected&, Session& session) { session.quirks.append_loses_flagged = true; });
  CHECK(outcome.told == "1:4 ");
}
