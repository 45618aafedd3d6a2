// Servers that mean harm, against the whole connector: each attack ends in a clear error, in
// bounded time and memory, and nothing that was asked for is taken for had.
#include <catch2/catch.hpp>

#include "connectors/imap/codec/append.h"
#include "connectors/net/patience.h"
#include "tests/imap/port_dialogue.h"
#include "tests/net/hostile_server.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;
using postferry::testing::Attack;
using postferry::testing::attack;
using postferry::testing::say_for_ever;
using postferry::testing::stay_silent;

namespace {

constexpr std::chrono::seconds kTimeout{120};
constexpr std::chrono::seconds kWhole{(net::kPatience + 1) * 120};
const FolderName kInbox({"INBOX"});

using Evil = std::function<Task<void>(net::Stream&)>;

struct Got {
  std::optional<Error> error;
  std::chrono::seconds took{};
  std::string told;
  std::vector<std::string> folders;
  std::uint64_t listed = 0;
};

/// Logs in, lists, opens INBOX, reads the catalogue and all messages, against a server that plays
/// `script` and then turns evil.
Got attack_source(const Dialogue& script, const Evil& evil, const std::string& url,
                  bool encrypted = true) {
  Got got;
  const Attack attacked = attack(
      [&](net::Stream& stream) -> Task<void> {
        const bool over = co_await script.play_on(stream);
        if (!over) co_await evil(stream);
      },
      [&](net::Network& network) -> Task<void> {
        OneSecret credentials;
        ConnectorContext context;
        context.network = &network;
        context.version = "0.1";
        EndSetup setup;
        setup.endpoint = parse_endpoint(url);
        setup.credentials = &credentials;
        setup.timeout = kTimeout;
        const std::unique_ptr<Source> source = imap::make_source(context, setup);
        const std::unique_ptr<SourceSession> session = co_await source->connect();
        for (const FolderInfo& folder : co_await session->list())
          got.folders.push_back(folder.name.to_string());
        co_await session->select(kInbox);
        const Catalogue catalogue = co_await session->catalogue();
        got.listed = catalogue.size();
        Keeper keeper;
        try {
          co_await session->fetch(entries(catalogue), keeper);
        } catch (const Error&) {
          got.told = keeper.told;
          throw;
        }
        got.told = keeper.told;
        co_await session->logout();
      },
      encrypted);
  got.error = attacked.error;
  got.took = attacked.took;
  return got;
}

Got attack_source(const Dialogue& script, const Evil& evil) {
  return attack_source(script, evil, "imaps://ann@mail.example");
}

Evil says(std::string bytes) {
  return [bytes](net::Stream& stream) -> Task<void> {
    co_await net::write_text(stream, bytes);
    co_await stay_silent();
  };
}

Evil repeats(std::string piece, Duration pause = {}) {
  return [piece, pause](net::Stream& stream) { return say_for_ever(stream, piece, pause); };
}

/// Up to and with the command that asks for the catalogue of so many messages.
Dialogue until_catalogue(const std::string& exists) {
  Dialogue d = login_of({});
  d.c("A4 EXAMINE \"INBOX\"").s("* " + exists + " EXISTS").s("* OK [UIDVALIDITY 7] ok");
  d.s("* OK [UIDNEXT 100] ok").s("A4 OK");
  d.c("A5 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  return d;
}

/// Up to and with the command that asks for one message.
Dialogue until_fetch() {
  Dialogue d = until_catalogue("1");
  d.s("* 1 FETCH (UID 1 RFC822.SIZE 3)").s("A5 OK");
  d.c("A6 UID FETCH 1 (UID FLAGS INTERNALDATE BODY.PEEK[])");
  return d;
}

void check_refused(const Got& got, const std::string& words) {
  REQUIRE(got.error);
  INFO(got.error->what());
  CHECK(got.error->kind() == ErrorKind::protocol);
  CHECK(got.error->message().find(words) != std::string::npos);
  CHECK(got.took < kTimeout);
  CHECK(got.told.empty());
}

}  // namespace

TEST_CASE("hostile: a line that never ends is cut off, wherever it comes") {
  const std::string much(50'000, 'a');
  check_refused(attack_source({}, repeats(much)), "a line above the limit");
  Dialogue d = until_fetch();
  d.raw("* 1 FETCH (UID 1 ");
  check_refused(attack_source(d, repeats(much)), "a line above the limit");
}

TEST_CASE("hostile: literals of absurd and impossible sizes are refused at their header") {
  for (const char* size : {"99999999999", "18446744073709551615"}) {
    const Got got = attack_source(until_fetch(),
                                  says(fmt::format("* 1 FETCH (UID 1 BODY[] {{{}}}\r\nabc", size)));
    check_refused(got, "a message literal above the limit");
  }
  for (const char* size : {"18446744073709551616", "99999999999999999999999999"}) {
    const Got got = attack_source(until_fetch(),
                                  says(fmt::format("* 1 FETCH (UID 1 BODY[] {{{}}}\r\nabc", size)));
    check_refused(got, "a literal of impossible size");
  }
  check_refused(attack_source(until_fetch(), says("* LIST () \"/\" {99999999999}\r\nabc")),
                "a literal above the limit");
}

TEST_CASE("hostile: literals without number and many small ones are refused (CVE-2021-3657)") {
  check_refused(attack_source(until_fetch(), says("* 1 FETCH (UID 1 BODY[] {}\r\n")),
                "a literal without its size");
  std::string many = "* 1 FETCH (UID 1";
  for (int i = 0; i < 2000; ++i) many += " BODY[] {1}\r\nx";
  check_refused(attack_source(until_fetch(), says(many + ")\r\n")),
                "too many literals in one response");
}

TEST_CASE("hostile: more or less bytes than announced are no message (CVE-2021-44143)") {
  const Got more = attack_source(until_fetch(), says("* 1 FETCH (UID 1 BODY[] {3}\r\nabcdef)\r\n"));
  REQUIRE(more.error);
  CHECK(more.error->kind() == ErrorKind::protocol);
  CHECK(more.told.empty());
  const Got less = attack_source(until_fetch(), says("* 1 FETCH (UID 1 BODY[] {300}\r\nabc)\r\n"));
  REQUIRE(less.error);
  CHECK(less.error->kind() == ErrorKind::transient);
  CHECK(less.told.empty());
  CHECK(less.took <= kTimeout);
}

TEST_CASE("hostile: parentheses inside parentheses are counted, not followed") {
  for (const char* start : {"* 1 FETCH (UID 1 BODYSTRUCTURE ", "* LIST ", "* 1 FETCH "}) {
    const std::string deep(200'000, '(');
    const Got got = attack_source(until_fetch(), says(start + deep + "\r\n"));
    REQUIRE(got.error);
    CHECK(got.error->kind() == ErrorKind::protocol);
  }
}

TEST_CASE(
    "hostile: EXISTS of 4294967295 makes nothing large, and a listing that falls short fails") {
  Dialogue d = until_catalogue("4294967295");
  d.s("* 1 FETCH (UID 1 RFC822.SIZE 3)").s("A5 OK");
  d.c("A6 NOOP").s("A6 OK").c("A7 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)").s("A7 OK");
  d.c("A8 UID SEARCH ALL").s("* ESEARCH (TAG \"A8\") UID ALL 1:4294967295").s("A8 OK");
  check_refused(attack_source(d, says("")),
                "the server says the folder has 4294967295 messages but lists only 1");
}

TEST_CASE("hostile: answers without end, each of them sound, come to an end") {
  std::string some;
  for (int i = 1; i <= 2000; ++i) some += fmt::format("* {} RECENT\r\n", i);
  check_refused(attack_source(until_catalogue("1"), repeats(some)),
                "never comes to the end of its answer");
}

TEST_CASE("hostile: UIDs that go backwards and repeat are listed once, in order") {
  Dialogue d = until_catalogue("3");
  d.s("* 1 FETCH (UID 9 RFC822.SIZE 3)").s("* 2 FETCH (UID 4 RFC822.SIZE 3)");
  d.s("* 3 FETCH (UID 9 RFC822.SIZE 3)").s("* 3 FETCH (UID 2 RFC822.SIZE 3)").s("A5 OK");
  d.c("A6 UID FETCH 2,4,9 (UID FLAGS INTERNALDATE BODY.PEEK[])");
  d.raw(body_line(9, "c")).raw(body_line(4, "b")).raw(body_line(2, "a")).s("A6 OK");
  d.c("A7 LOGOUT").s("* BYE").s("A7 OK");
  const Got got = attack_source(d, says(""));
  CHECK(!got.error);
  CHECK(got.told == "2()='a' 4()='b' 9()='c' ");
}

TEST_CASE("hostile: a reply for a tag that was never sent, or answered already, ends the session") {
  for (const char* line : {"A99 OK done\r\n", "A5 OK again\r\n", "X OK\r\n"}) {
    check_refused(attack_source(until_fetch(), says(line)),
                  "the server answered a command that was never sent");
  }
}

TEST_CASE("hostile: messages that nobody asked for are not taken") {
  Dialogue d = until_fetch();
  d.raw(body_line(77, "evil")).raw(body_line(1, "abc")).raw(body_line(1, "twice")).s("A6 OK");
  d.c("A7 LOGOUT").s("* BYE").s("A7 OK");
  const Got got = attack_source(d, says(""));
  CHECK(!got.error);
  CHECK(got.told == "1()='abc' ");
}

TEST_CASE("hostile: a folder called ../../etc/passwd is only levels of a name (CVE-2021-20247)") {
  Provider evil;
  evil.listing = {"* LIST () \"/\" \"../../etc/passwd\"", "* LIST () \".\" \"/etc/passwd\"",
                  "* LIST () \"/\" {12}\r\nnul\\0 \x1b[2J\x07!", "* LIST () \"/\" INBOX"};
  Dialogue d = login_of(evil);
  d.c("A4 EXAMINE \"INBOX\"").s("A4 NO \x1b]0;owned\x07 no\x1b[2J");
  const Got got = attack_source(d, says(""));
  REQUIRE(got.folders.size() == 4);
  CHECK(got.folders[0] == "../../etc/passwd");
  CHECK(got.folders[1] == "%2Fetc%2Fpasswd");
  CHECK(printable(got.folders[2]) == "nul\\0 \\x1B[2J\\x07!");
  REQUIRE(got.error);
  // What a server says reaches no terminal, log, report or journal as it is.
  CHECK(got.error->message() == "EXAMINE was refused: NO \\x1B]0;owned\\x07 no\\x1B[2J");
}

TEST_CASE("hostile: a folder name with a NUL, which could not be said back, is no folder name") {
  using namespace std::string_literals;
  Dialogue d;
  d.s("* PREAUTH [CAPABILITY IMAP4rev1] hi").c("A1 LIST \"\" \"\"");
  d.c("A2 LIST \"\" \"*\"").c("A3 LSUB \"\" \"*\"");
  d.s("* LIST () \"/\" \"\"").s("A1 OK");
  check_refused(attack_source(d, says("* LIST () \"/\" {3}\r\na\0b\r\nA2 OK\r\nA3 OK\r\n"s)),
                "a folder name with a NUL byte");
}

TEST_CASE("hostile: silence ends at the limit, at whatever moment it falls") {
  for (const Dialogue& script : {Dialogue(), login_of({}), until_catalogue("1"), until_fetch()}) {
    const Got got = attack_source(script, says(""));
    REQUIRE(got.error);
    CHECK(got.error->kind() == ErrorKind::transient);
    CHECK(got.took <= kTimeout);
  }
}

TEST_CASE("hostile: one byte a minute ends, in the greeting, an answer, and a message") {
  const auto drip = repeats("x", std::chrono::minutes(1));
  Dialogue line = until_fetch();
  line.raw("* OK ");
  Dialogue body = until_fetch();
  body.raw("* 1 FETCH (UID 1 BODY[] {3000000}\r\n");
  Dialogue small = until_fetch();
  small.raw("* 1 FETCH (UID 1 BODY[] {3000}\r\n");
  Dialogue greeting;
  greeting.raw("* OK ");
  for (const Dialogue& script : {greeting, line, small}) {
    const Got got = attack_source(script, drip);
    REQUIRE(got.error);
    CHECK(got.error->kind() == ErrorKind::transient);
    CHECK(got.error->message() ==
          "the server sends next to nothing, and its answer never comes to an end");
    CHECK(got.took <= kWhole);
  }
}

TEST_CASE("hostile: a slow line that keeps sending is waited for") {
  const std::string text(60'000, 'm');
  Dialogue d = until_fetch();
  const Got got = attack_source(d, [&](net::Stream& stream) -> Task<void> {
    co_await net::write_text(stream,
                             fmt::format("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n", text.size()));
    for (std::size_t at = 0; at < text.size(); at += 3000) {
      co_await sleep_for(std::chrono::seconds(40));
      co_await net::write_text(stream, text.substr(at, 3000));
    }
    co_await net::write_text(stream, ")\r\nA6 OK\r\n");
    co_await net::read_line(stream);
    co_await net::write_text(stream, "* BYE\r\nA7 OK\r\n");
  });
  CHECK(!got.error);
  CHECK(got.told == "1()='" + text + "' ");
}

TEST_CASE("hostile: a login exchange without end is left") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi").c("A1 AUTHENTICATE PLAIN");
  const Got slow = attack_source(d, [](net::Stream& stream) -> Task<void> {
    for (;;) {
      co_await net::write_text(stream, "+ \r\n");
      co_await net::read_line(stream);
    }
  });
  REQUIRE(slow.error);
  const Got fast = attack_source(d, repeats("+ \r\n"));
  REQUIRE(fast.error);
  CHECK(slow.error->message() == "the login does not end");
  CHECK(fast.error->kind() == ErrorKind::protocol);
  CHECK(fast.took <= kWhole);
}

TEST_CASE(
    "hostile: answers sent before STARTTLS is done are fatal, with the connection in the clear") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi").c("A1 STARTTLS");
  const Got got = attack_source(
      d, says("A1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA2 OK\r\nA3 OK in\r\n"),
      "imap://ann@mail.example", false);
  REQUIRE(got.error);
  CHECK(got.error->kind() == ErrorKind::tls);
}

TEST_CASE("hostile: an APPENDUID with UIDs that cannot be is not believed") {
  for (const char* code : {"7 0", "7 4294967296", "7 1:4294967295", "7 9:2", "7 *", "0 1", "7"}) {
    Dialogue d = opens("A4", "SELECT", 0);
    d.c("A5 APPEND \"INBOX\" {1}").s("+").c("a").s(fmt::format("A5 OK [APPENDUID {}] ok", code));
    Provider plus;
    plus.capabilities = "UIDPLUS";
    std::string told;
    const auto error =
        with_target(plus, d, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
          co_await session.select(kInbox);
          OneBatch feed({{"a", ""}});
          std::optional<Error> failed;
          try {
            co_await session.append(feed);
          } catch (const Error& thrown) {
            failed = thrown;
          }
          told = feed.told;
          if (failed) throw *failed;
        });
    INFO(code);
    // Either the whole answer is refused, or the UID counts as not told and is looked for.
    CHECK((error ? error->kind() == ErrorKind::protocol && told.empty() : told == "0 "));
  }
}
