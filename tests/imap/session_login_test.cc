// Logins, as dialogues: what is sent to whom, and what a refusal means.
#include <catch2/catch.hpp>

#include "connectors/base64.h"
#include "connectors/imap/account.h"
#include "connectors/imap/login.h"
#include "connectors/imap/source.h"
#include "connectors/net/counting.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

class FixedSecrets final : public Credentials {
 public:
  explicit FixedSecrets(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {}
  Task<Secret> secret() override {
    const std::size_t index = std::min(asked_++, secrets_.size() - 1);
    co_return Secret(secrets_[index]);
  }

 private:
  std::vector<std::string> secrets_;
  std::size_t asked_ = 0;
};

struct Outcome {
  std::optional<Error> error;
  std::string software;
  std::string prefix;
  char delimiter = 0;
  std::vector<std::string> capabilities;
};

Outcome log_in_by(const Dialogue& dialogue, const std::string& url = "imaps://ann@old.example",
                  std::vector<std::string> secrets = {"secret"},
                  const std::string& channel_binding = {}) {
  Outcome result;
  const Endpoint endpoint = parse_endpoint(url);
  converse(
      dialogue,
      [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
        FixedSecrets credentials(secrets);
        net::ScriptedNetwork network(
            [&stream](net::ConnectOptions) -> Task<std::unique_ptr<net::Stream>> {
              co_return std::move(stream);
            });
        Account account;
        account.context.network = &network;
        account.context.version = "0.1";
        account.setup.endpoint = endpoint;
        account.setup.credentials = &credentials;
        account.where = "source " + url;
        result = {};
        try {
          const LoggedIn in = co_await log_in(account);
          const Session& session = *in.session;
          result.software = session.quirks.software;
          result.capabilities = session.capabilities.names();
        } catch (const Error& error) {
          result.error = error;
        }
        result.prefix = account.names.prefix();
        result.delimiter = account.names.delimiter();
      },
      endpoint.tls == TlsMode::implicit, channel_binding);
  return result;
}

std::string plain(const std::string& user, const std::string& password) {
  return base64_encode(std::string("\0", 1) + user + std::string("\0", 1) + password);
}

}  // namespace

TEST_CASE(
    "a login takes capabilities from greeting and answer, and introduces itself in one volley") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Dovecot ready.");
  d.c("A1 AUTHENTICATE PLAIN " + plain("ann", "secret"));
  d.s("A1 OK [CAPABILITY IMAP4rev1 ID NAMESPACE UIDPLUS] Logged in");
  d.c("A2 ID (\"name\" \"postferry\" \"version\" \"0.1\")").c("A3 NAMESPACE");
  d.s("* ID (\"name\" \"Dovecot\")").s("A2 OK");
  d.s("* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL").s("A3 OK");
  const Outcome result = log_in_by(d);
  REQUIRE(!result.error);
  CHECK(result.software == "Dovecot");
  CHECK(result.prefix == "INBOX.");
  CHECK(result.delimiter == '.');
  CHECK(result.capabilities == std::vector<std::string>{"ID", "IMAP4REV1", "NAMESPACE", "UIDPLUS"});
}

TEST_CASE("a server that says no capabilities by itself is asked, before and after the login") {
  Dialogue d;
  d.s("* OK hello");
  d.c("A1 CAPABILITY").s("* CAPABILITY IMAP4rev1 AUTH=PLAIN ID").s("A1 OK");
  d.c("A2 AUTHENTICATE PLAIN").s("+ ").c(plain("ann", "secret")).s("A2 OK welcome");
  d.c("A3 CAPABILITY").c("A4 ID (\"name\" \"postferry\" \"version\" \"0.1\")");
  d.s("* CAPABILITY IMAP4rev1 ID").s("A3 OK").s("* ID NIL").s("A4 OK");
  d.c("A5 LIST \"\" \"\"").s("* LIST (\\Noselect) \"\\\\\" \"\"").s("A5 OK");
  const Outcome result = log_in_by(d);
  REQUIRE(!result.error);
  CHECK(result.delimiter == '\\');
}

TEST_CASE("LOGIN is the last resort, its strings quoted") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1] hi").c("A1 LOGIN \"ann\" \"se\\\"cret\"");
  d.s("A1 OK [CAPABILITY IMAP4rev1] in").c("A2 LIST \"\" \"\"").s("A2 OK");
  CHECK(!log_in_by(d, "imaps://ann@old.example", {"se\"cret"}).error);
}

TEST_CASE("LOGINDISABLED is obeyed") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] hi");
  const Outcome result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::auth);
  CHECK(result.error->message() == "no way to log in: the server offers GSSAPI, LOGINDISABLED");
}

TEST_CASE("STARTTLS comes first, and what was offered before it is forgotten") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi");
  d.c("A1 STARTTLS").s("A1 OK go").tls();
  d.c("A2 CAPABILITY").s("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR").s("A2 OK");
  d.c("A3 AUTHENTICATE PLAIN " + plain("ann", "secret"));
  d.s("A3 OK [CAPABILITY IMAP4rev1] in").c("A4 LIST \"\" \"\"").s("A4 OK");
  CHECK(!log_in_by(d, "imap://ann@old.example").error);
}

TEST_CASE("nothing secret is said when TLS was wanted and cannot be had") {
  Dialogue d;
  const int way = GENERATE(0, 1, 2, 3);
  if (way == 0) d.s("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] no STARTTLS here");
  if (way == 1) d.s("* PREAUTH [CAPABILITY IMAP4rev1] you are in already");
  if (way == 2) d.s("* OK hi").c("A1 STARTTLS").s("A1 BAD what");
  if (way == 3) d.s("* OK hi").c("A1 STARTTLS").s("A1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN");
  const Outcome result = log_in_by(d, "imap://ann@old.example");
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::tls);
}

TEST_CASE("without TLS only challenge mechanisms are used, unless tls=none is spelled out") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi").c("A1 AUTHENTICATE PLAIN").s("+");
  d.c(plain("ann", "secret")).s("A1 OK [CAPABILITY IMAP4rev1] in");
  d.c("A2 LIST \"\" \"\"").s("A2 OK");
  CHECK(!log_in_by(d, "imap://ann@old.example?tls=none").error);
}

TEST_CASE("PREAUTH under TLS needs no login") {
  Dialogue d;
  d.s("* PREAUTH [CAPABILITY IMAP4rev1] hello ann").c("A1 LIST \"\" \"\"").s("A1 OK");
  CHECK(!log_in_by(d).error);
}

TEST_CASE("a refused login is told by its code and words, and is not tried again") {
  struct Case {
    const char* answer;
    ErrorKind kind;
  };
  const Case given = GENERATE(
      Case{"NO [AUTHENTICATIONFAILED] Authentication failed.", ErrorKind::auth},
      Case{"NO Basic authentication is disabled.", ErrorKind::auth},
      Case{"NO [UNAVAILABLE] Temporary authentication failure.", ErrorKind::transient},
      Case{"NO [INUSE] locked", ErrorKind::transient},
      Case{"NO [LIMIT] LOGIN Rate limit hit", ErrorKind::throttled},
      Case{"NO [ALERT] Too many simultaneous connections. (Failure)", ErrorKind::throttled},
      Case{"BAD User is authenticated but not connected.", ErrorKind::transient});
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi");
  d.c("A1 AUTHENTICATE PLAIN " + plain("ann", "secret")).s(std::string("A1 ") + given.answer);
  const Outcome result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == given.kind);
  CHECK(result.error->message() == std::string("the login was refused: ") + given.answer);
  CHECK(result.error->context() == "source imaps://ann@old.example");
}

TEST_CASE("a greeting that says BYE is no wrong password") {
  Dialogue d;
  d.s("* BYE Too many connections from your IP").hangs_up();
  const Outcome result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::throttled);
}

TEST_CASE("what is no IMAP server is told so") {
  Dialogue d;
  d.s("220 mail.example ESMTP");
  const Outcome result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::protocol);
}

TEST_CASE("a mechanism that the server offers and does not know gives way to the next") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi");
  d.c("A1 AUTHENTICATE PLAIN " + plain("ann", "secret")).s("A1 BAD unsupported mechanism");
  d.c("A2 LOGIN \"ann\" \"secret\"").s("A2 OK [CAPABILITY IMAP4rev1] in");
  d.c("A3 LIST \"\" \"\"").s("A3 OK");
  CHECK(!log_in_by(d).error);
}

TEST_CASE("after a refused challenge mechanism the password is shown once, under TLS") {
  // RFC 2195: HMAC-MD5 of the challenge, keyed by the password.
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] hi");
  d.c("A1 AUTHENTICATE CRAM-MD5");
  d.s("+ " + base64_encode("<1896.697170952@postoffice.reston.mci.net>"));
  d.c(base64_encode("tim b913a602c7eda7a495b4e6e7334d3890"));
  d.s("A1 NO [AUTHENTICATIONFAILED] no key for you");
  d.c("A2 LOGIN \"tim\" \"tanstaaftanstaaf\"");
  const bool hangs_up = GENERATE(false, true);
  if (hangs_up) {
    d.hangs_up();
  } else {
    d.s("A2 NO [AUTHENTICATIONFAILED] nor this");
  }
  const Outcome result = log_in_by(d, "imaps://tim@old.example", {"tanstaaftanstaaf"});
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::auth);
  CHECK(result.error->message() == std::string("the login was refused: NO "
                                               "[AUTHENTICATIONFAILED] ") +
                                       (hangs_up ? "no key for you" : "nor this"));
}

TEST_CASE("an expired token is asked for anew, once; the server's JSON is answered and told") {
  const std::string json = base64_encode("{\"status\":\"401\",\"schemes\":\"bearer\"}");
  const auto token = [](const std::string& t) {
    return base64_encode("user=ann\001auth=Bearer " + t + "\001\001");
  };
  const bool fresh_works = GENERATE(true, false);
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi");
  d.c("A1 AUTHENTICATE XOAUTH2 " + token("old")).s("+ " + json).c("");
  d.s("A1 NO [AUTHENTICATIONFAILED] Invalid credentials");
  d.c("A2 AUTHENTICATE XOAUTH2 " + token("new"));
  if (fresh_works) {
    d.s("A2 OK [CAPABILITY IMAP4rev1] in").c("A3 LIST \"\" \"\"").s("A3 OK");
  } else {
    d.s("+ " + json).c("").s("A2 NO [AUTHENTICATIONFAILED] Invalid credentials");
  }
  const Outcome result = log_in_by(d, "imaps://ann@old.example?auth=xoauth2", {"old", "new"});
  CHECK(result.error.has_value() == !fresh_works);
  if (!result.error) return;
  CHECK(result.error->kind() == ErrorKind::auth);
  CHECK(result.error->message().find("Invalid credentials ({\"status\":\"401\"") !=
        std::string::npos);
}

TEST_CASE("Exchange lets one log in who has no mailbox: that is told, and no wrong password") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] The Microsoft Exchange IMAP4 service");
  d.c("A1 AUTHENTICATE PLAIN " + plain("ann", "secret"));
  d.s("A1 OK [CAPABILITY IMAP4rev1 NAMESPACE] AUTHENTICATE completed.");
  d.c("A2 NAMESPACE").s("A2 BAD User is authenticated but not connected.");
  const Outcome result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::transient);
}

TEST_CASE("an admin logs in for another user by PLAIN's authzid, never by LOGIN") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi");
  d.c("A1 AUTHENTICATE PLAIN " + base64_encode(std::string("bob\0admin\0secret", 16)));
  d.s("A1 OK [CAPABILITY IMAP4rev1] in").c("A2 LIST \"\" \"\"").s("A2 OK");
  CHECK(!log_in_by(d, "imaps://admin@old.example?as=bob").error);
}

TEST_CASE("logging out says goodbye, waits for it, and minds nothing") {
  const bool polite = GENERATE(true, false);
  Dialogue d;
  d.c("A1 LOGOUT");
  if (polite) d.s("* BYE see you").s("A1 OK done");
  d.hangs_up();
  converse(d, logged_in({}, [](Session& session) -> Task<void> { co_await log_out(session); }));
}

TEST_CASE("a refused channel binding is no refused password: the mechanism is tried without") {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-1-PLUS AUTH=PLAIN AUTH=SCRAM-SHA-1] hi");
  d.c_starts("A1 AUTHENTICATE SCRAM-SHA-1-PLUS ").s("A1 NO bad protocol");
  d.c_starts("A2 AUTHENTICATE SCRAM-SHA-1 ").s("A2 NO [AUTHENTICATIONFAILED] no");
  d.c_starts("A3 AUTHENTICATE PLAIN ").s("A3 NO [AUTHENTICATIONFAILED] not at all");
  const Outcome result = log_in_by(d, "imaps://ann@old.example", {"secret"}, "binding-data-0123");
  REQUIRE(result.error);
  CHECK(result.error->message() == "the login was refused: NO [AUTHENTICATIONFAILED] not at all");
}

namespace {

// Connects twice through the port, each time listing or not; how many round trips that took.
std::vector<std::uint64_t> round_trips(const std::vector<Dialogue>& dialogues,
                                       const std::function<Task<void>(SourceSession&)>& use) {
  ManualExecutor executor;
  std::vector<std::uint64_t> counts;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             std::size_t next = 0;
             net::ScriptedNetwork scripted(
                 [&](net::ConnectOptions) -> Task<std::unique_ptr<net::Stream>> {
                   net::PipeOptions options;
                   options.encrypted = true;
                   options.capacity = 1 << 20;
                   auto [ours, theirs] = net::make_pipe(options);
                   group.spawn(dialogues.at(next++).play(std::move(theirs)));
                   co_return std::move(ours);
                 });
             net::CountingNetwork network(scripted);
             FixedSecrets credentials({"secret"});
             ConnectorContext context;
             context.network = &network;
             context.version = "0.1";
             EndSetup setup;
             setup.endpoint = parse_endpoint("imaps://ann@old.example");
             setup.credentials = &credentials;
             const std::unique_ptr<Source> source = imap::make_source(context, setup);
             for (std::size_t i = 0; i < dialogues.size(); ++i) {
               network.reset();
               const std::unique_ptr<SourceSession> session = co_await source->connect();
               co_await use(*session);
               counts.push_back(network.counts().round_trips);
             }
             co_await group.join();
           }));
  return counts;
}

Dialogue dovecot_login() {
  Dialogue d;
  d.s("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Dovecot ready.");
  d.c("A1 AUTHENTICATE PLAIN " + plain("ann", "secret"));
  d.s("A1 OK [CAPABILITY IMAP4rev1 ID NAMESPACE LIST-EXTENDED LIST-STATUS CONDSTORE] in");
  d.c("A2 ID (\"name\" \"postferry\" \"version\" \"0.1\")");
  return d;
}

}  // namespace

TEST_CASE("login, listing and logout are three round trips") {
  Dialogue d = dovecot_login();
  d.c("A3 NAMESPACE");
  d.c("A4 LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))");
  d.s("* ID (\"name\" \"Dovecot\")").s("A2 OK");
  d.s("* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL").s("A3 OK");
  d.s("* LIST (\\Subscribed) \".\" INBOX").s("* LIST () \".\" INBOX.Sent");
  d.s("* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 77)").s("A4 OK");
  d.c("A5 LOGOUT").s("* BYE bye").s("A5 OK");
  std::vector<FolderInfo> folders;
  const auto counts = round_trips({d}, [&](SourceSession& session) -> Task<void> {
    folders = co_await session.list();
    co_await session.logout();
  });
  CHECK(counts == std::vector<std::uint64_t>{3});
  REQUIRE(folders.size() == 2);
  CHECK(folders[0].numbers.highest_modseq == 77u);
  CHECK(folders[1].name == FolderName({"Sent"}));
}

TEST_CASE("a further session takes over what the first has learned, and waits for nothing") {
  Dialogue first = dovecot_login();
  first.c("A3 NAMESPACE");
  first.c_starts("A4 LIST");
  first.s("* ID NIL").s("A2 OK").s("* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL").s("A3 OK");
  first.s("* LIST () \".\" INBOX.Sent").s("A4 OK");
  first.c("A5 EXAMINE \"INBOX.Sent\"").s("* 0 EXISTS").s("* OK [UIDVALIDITY 1] ok");
  first.s("* OK [UIDNEXT 1] ok").s("A5 OK");
  Dialogue second = dovecot_login();
  second.c("A3 EXAMINE \"INBOX.Sent\"").s("* ID NIL").s("A2 OK").s("* 0 EXISTS");
  second.s("* OK [UIDVALIDITY 1] ok").s("* OK [UIDNEXT 1] ok").s("A3 OK");
  const auto counts = round_trips({first, second}, [&](SourceSession& session) -> Task<void> {
    co_await session.select(FolderName({"Sent"}));
  });
  CHECK(counts == std::vector<std::uint64_t>{3, 2});
}
