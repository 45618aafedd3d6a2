// The session itself: overlapping commands, literals that wait, and servers that say nonsense.
#include <catch2/catch.hpp>

#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

Task<void> noop(Session& session) {
  std::string tag = co_await session.send(session.command("NOOP").finish());
  co_await session.succeed(tag, "NOOP");
}

Error error_of(const Dialogue& dialogue) {
  std::optional<Error> error;
  converse(dialogue, logged_in({}, [&](Session& session) -> Task<void> {
             error = co_await failure_of(noop(session));
           }));
  return error.value();
}

}  // namespace

TEST_CASE("answers may come in another order than their commands") {
  Dialogue d;
  d.c("A1 NOOP").c("A2 CHECK").s("A2 NO second").s("* 5 EXISTS").s("A1 OK first");
  std::string told;
  std::uint64_t exists = 0;
  converse(d, logged_in({}, [&](Session& session) -> Task<void> {
             std::string first = co_await session.send(session.command("NOOP").finish());
             std::string second = co_await session.send(session.command("CHECK").finish());
             const StatusResponse one = co_await session.finish(first);
             const StatusResponse two = co_await session.finish(second);
             told = one.text + " " + two.text;
             exists = session.exists();
           }));
  CHECK(told == "first second");
  CHECK(exists == 5);
}

TEST_CASE("a string that must wait for the server's go-ahead waits, or takes its refusal") {
  const bool refused = GENERATE(false, true);
  Dialogue d;
  d.c("A1 SUBSCRIBE {5}");
  if (refused) d.s("A1 NO no literals here");
  if (!refused) d.s("+ go").c("caf\xC3\xA9").s("A1 OK done");
  Status status = Status::kBad;
  converse(d, logged_in({}, [&](Session& session) -> Task<void> {
             std::string tag =
                 co_await session.send(session.command("SUBSCRIBE").string("caf\xC3\xA9").finish());
             const StatusResponse answer = co_await session.finish(tag);
             status = answer.status;
           }));
  CHECK(status == (refused ? Status::kNo : Status::kOk));
}

TEST_CASE("an answer to a command that nobody sent ends the session") {
  Dialogue d;
  d.c("A1 NOOP").s("X9 OK what");
  const Error error = error_of(d);
  CHECK(error.kind() == ErrorKind::protocol);
  CHECK(error.context() == "target imaps://ann@new.example");
}

TEST_CASE("what is not IMAP ends the session, with the place told") {
  Dialogue d;
  d.c("A1 NOOP").s("* 5 FETCH (UID");
  const Error error = error_of(d);
  CHECK(error.kind() == ErrorKind::protocol);
  CHECK(error.message().starts_with("the server's answer cannot be understood: "));
}

TEST_CASE("a connection that closes is told with the server's last words") {
  Dialogue d;
  d.c("A1 NOOP").s("* OK [ALERT] Disk failing, back soon").hangs_up();
  const Error error = error_of(d);
  CHECK(error.kind() == ErrorKind::transient);
  CHECK(error.message() == "the server closed the connection: Disk failing, back soon");
}

TEST_CASE("a goodbye that asks us to stay away says for how long") {
  Dialogue d;
  d.c("A1 NOOP").s("* BYE Request is throttled. Suggested Backoff Time: 300000 milliseconds");
  const Error error = error_of(d);
  CHECK(error.kind() == ErrorKind::throttled);
  CHECK(error.retry_after() == std::chrono::milliseconds(300'000));
}

TEST_CASE("a body that nobody takes is passed over") {
  const std::string body(100'000, 'b');
  Dialogue d;
  d.c("A1 NOOP").raw(fmt::format("* 1 FETCH (UID 4 BODY[] {{{}}}\r\n{})\r\n", body.size(), body));
  d.s("A1 OK");
  bool seen = false;
  converse(d, logged_in({}, [&](Session& session) -> Task<void> {
             std::string tag = co_await session.send(session.command("NOOP").finish());
             co_await session.succeed(tag, "NOOP", [&seen](Response& response) {
               const auto* fetch = std::get_if<FetchData>(&response);
               seen = fetch && fetch->uid == 4u;
             });
           }));
  CHECK(seen);
}
