// Logins, as dialogues: what is sent to whom, and what a refusal means.
#include <catch2/catch.hpp>

#include "connectors/base64.h"
#include "connectors/imap/account.h"
#include "connectors/imap/login.h"
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

struct LoggedIn {
  std::optional<Error> error;
  std::string software;
  std::string prefix;
  char delimiter = 0;
  std::vector<std::string> capabilities;
};

LoggedIn log_in_by(const Dialogue& dialogue, const std::string& url = "imaps://ann@old.example",
                   std::vector<std::string> secrets = {"secret"},
                   const std::string& channel_binding = {}) {
  LoggedIn result;
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
          const std::unique_ptr<Session> session = co_await log_in(account);
          result.software = session->quirks.software;
          result.capabilities = session->capabilities.names();
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
  const LoggedIn result = log_in_by(d);
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
  const LoggedIn result = log_in_by(d);
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
  const LoggedIn result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::auth);
  CHECK(result.error->message() == "no way to log in: the server offers GSSAPI and LOGINDISABLED");
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
  const LoggedIn result = log_in_by(d, "imap://ann@old.example");
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
  const LoggedIn result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == given.kind);
  CHECK(result.error->message() == std::string("the login was refused: ") + given.answer);
  CHECK(result.error->context() == "source imaps://ann@old.example");
}

TEST_CASE("a greeting that says BYE is no wrong password") {
  Dialogue d;
  d.s("* BYE Too many connections from your IP").hangs_up();
  const LoggedIn result = log_in_by(d);
  REQUIRE(result.error);
  CHECK(result.error->kind() == ErrorKind::throttled);
}

TEST_CASE("what is no IMAP server is told so") {
  Dialogue d;
  d.s("220 mail.example ESMTP");
  const LoggedIn result = log_in_by(d);
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
  const LoggedIn result = log_in_by(d, "imaps://tim@old.example", {"tanstaaftanstaaf"});
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
  const LoggedIn result = log_in_by(d, "imaps://ann@old.example?auth=xoauth2", {"old", "new"});
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
  const LoggedIn result = log_in_by(d);
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
  const LoggedIn result = log_in_by(d, "imaps://ann@old.example", {"secret"}, "binding-data-0123");
  REQUIRE(result.error);
  CHECK(result.error->message() == "the login was refused: NO [AUTHENTICATIONFAILED] not at all");
}
