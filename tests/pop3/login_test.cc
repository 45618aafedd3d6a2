// Logins as servers know them, good and bad.
#include <catch2/catch.hpp>
#include <string>

#include "connectors/base64.h"
#include "tests/pop3/dialogue.h"

using namespace postferry;
using namespace postferry::pop3::test;

namespace {

const char* const kUrl = "pop3s://ann@old.example";

Task<void> connect(Source& source) { co_await source.connect(); }

std::string plain() {
  using namespace std::string_literals;
  return base64_encode("\0ann\0pa$$word"s);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace

TEST_CASE("a login by SASL goes in two steps, and capabilities are asked for again after it") {
  Dialogue dialogue(
      {"S: +OK ready\n"
       "C: CAPA\nS: +OK\nS: SASL LOGIN PLAIN\nS: USER\nS: .\n"
       "C: AUTH PLAIN\nS: + \n"
       "C: " +
       plain() +
       "\nS: +OK Logged in.\n"
       "C: CAPA\nS: +OK\nS: PIPELINING\nS: .\n"});
  dialogue.pipe.read_chunk = GENERATE(std::size_t{1}, std::size_t{1000});
  dialogue.run(kUrl, connect);
}

TEST_CASE("what there is, and to whom, is asked for in one piece where PIPELINING is offered") {
  Dialogue dialogue(
      {"S: +OK ready\n"
       "C: CAPA\nS: +OK\nS: PIPELINING\nS: USER\nS: .\n"
       "C: USER ann\nS: +OK\nC: PASS pa$$word\nS: +OK\n"
       "C: CAPA\nC: STAT\nS: +OK\nS: PIPELINING\nS: UIDL\nS: .\nS: +OK 3 4096\n"
       "C: QUIT\nS: +OK\n"});
  dialogue.pipe.read_chunk = GENERATE(std::size_t{1}, std::size_t{1000});
  std::vector<FolderInfo> folders;
  dialogue.run_session(kUrl, [&](SourceSession& session) -> Task<void> {
    folders = co_await session.list();
    co_await session.logout();
  });
  CHECK(folders.at(0).numbers.messages == 3);
}

TEST_CASE("STLS comes before anything secret, and what was offered in the clear is forgotten") {
  Dialogue dialogue(
      {"S: +OK ready\n"
       "C: CAPA\nS: +OK\nS: STLS\nS: SASL CRAM-MD5\nS: .\n"
       "C: STLS\nS: +OK begin\nTLS\n"
       "C: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\n"
       "C: AUTH PLAIN\nS: +\n"
       "C: " +
       plain() +
       "\nS: +OK\n"
       "C: CAPA\nS: -ERR\n"});
  dialogue.run("pop3://ann@old.example", connect);
}

TEST_CASE("without STLS nothing secret is said") {
  Dialogue dialogue({"S: +OK ready\nC: CAPA\nS: +OK\nS: USER\nS: SASL PLAIN\nS: .\n"});
  CHECK(dialogue.failure("pop3://ann@old.example").kind() == ErrorKind::tls);
}

TEST_CASE("STLS is tried where the server does not tell its capabilities") {
  Dialogue dialogue({"S: +OK ready\nC: CAPA\nS: -ERR what?\nC: STLS\nS: -ERR no TLS here\n"});
  const Error error = dialogue.failure("pop3://ann@old.example");
  CHECK(error.kind() == ErrorKind::tls);
  CHECK(std::string(error.what()).find("no TLS here") != std::string::npos);
}

TEST_CASE("bytes that come in the clear before the handshake are fatal") {
  const std::string injected =
      GENERATE("S: +OK begin\nS: +OK injected\n", "S: +OK begin\nS: x\\c\n");
  Dialogue dialogue({"S: +OK ready\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\n" + injected});
  CHECK(dialogue.failure("pop3://ann@old.example").kind() == ErrorKind::tls);
}

TEST_CASE("USER and PASS are taken where there is no SASL") {
  Dialogue dialogue(
      {"S: +OK ready\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS pa$$word\nS: +OK\n"
       "C: CAPA\nS: -ERR\n"});
  dialogue.run(kUrl, connect);
}

TEST_CASE("auth=LOGIN takes SASL where it is offered, else USER and PASS") {
  Dialogue old(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\nC: USER ann\nS: +OK\n"
       "C: PASS pa$$word\nS: +OK\nC: CAPA\nS: -ERR\n"});
  old.run("pop3s://ann@old.example?auth=LOGIN", connect);
  Dialogue older({logged_in("", "")});
  older.run("pop3s://ann@old.example?auth=LOGIN", connect);
  Dialogue sasl(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL LOGIN PLAIN\nS: .\nC: AUTH LOGIN\n"
       "S: + \nC: " +
       base64_encode("ann") + "\nS: + \nC: " + base64_encode("pa$$word") +
       "\nS: +OK\nC: CAPA\nS: -ERR\n"});
  sasl.run("pop3s://ann@old.example?auth=LOGIN", connect);
}

TEST_CASE("a password goes in the clear only where that was spelled out") {
  const std::string script =
      "S: +OK ready\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS pa$$word\nS: +OK\nC: CAPA\nS: "
      "-ERR\n";
  Dialogue dialogue({script});
  dialogue.run("pop3://ann@old.example?tls=none", connect);
}

TEST_CASE("a refused password is final, in the server's words") {
  Dialogue dialogue(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL PLAIN LOGIN\nS: .\n"
       "C: AUTH PLAIN\nS: + \nC: " +
       plain() + "\nS: -ERR [AUTH] Go away, Ann.\n"});
  const Error error = dialogue.failure(kUrl);
  CHECK(error.kind() == ErrorKind::auth);
  CHECK(std::string(error.what()).find("-ERR [AUTH] Go away, Ann.") != std::string::npos);
  CHECK(std::string(error.what()).find("source pop3s://ann@old.example") != std::string::npos);
  CHECK(dialogue.secrets.asked() == 1);
}

TEST_CASE("a mechanism without a key is followed by one that shows the password, once") {
  Dialogue dialogue(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN\nS: .\n"
       "C: AUTH SCRAM-SHA-256\nS: -ERR [AUTH] no\n"
       "C: AUTH PLAIN\nS: + \nC: " +
       plain() + "\nS: -ERR [AUTH] no\n"});
  CHECK(dialogue.failure(kUrl).kind() == ErrorKind::auth);
}

TEST_CASE("a mechanism that fails before the secret is at stake is not tried in later logins") {
  const std::string offer =
      "S: +OK ready\nC: CAPA\nS: +OK\nS: SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN\nS: .\n";
  const std::string good = "C: AUTH PLAIN\nS: + \nC: " + plain() + "\nS: +OK\nC: CAPA\nS: -ERR\n";
  Dialogue dialogue({offer +
                         "C: AUTH SCRAM-SHA-256-PLUS\nS: -ERR bad protocol\nC: AUTH "
                         "SCRAM-SHA-256\nS: -ERR bad\n" +
                         good,
                     offer + good});
  dialogue.pipe.channel_binding = "binding";
  dialogue.run(kUrl, [](Source& source) -> Task<void> {
    co_await source.connect();
    co_await source.connect();
  });
}

TEST_CASE("busy is not refused") {
  const std::string words =
      GENERATE("[IN-USE] Do you have another POP session running?", "[SYS/TEMP] later",
               "maildrop already locked", "[LOGIN-DELAY] too soon", "please wait");
  const std::string step = GENERATE("S: -ERR ", "S: +OK\nC: PASS pa$$word\nS: -ERR ");
  Dialogue dialogue({"S: +OK ready\nC: CAPA\nS: -ERR\nC: USER ann\n" + step + words + "\n"});
  const Error error = dialogue.failure(kUrl);
  CHECK(error.kind() == ErrorKind::transient);
  CHECK(error.message().find(words) != std::string::npos);
}

TEST_CASE("a login delay says for how long") {
  const auto delay = [](const std::string& words) {
    Dialogue dialogue(
        {"S: +OK ready\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS pa$$word\nS: -ERR " + words +
         "\n"});
    return dialogue.failure(kUrl).retry_after();
  };
  CHECK(delay("[LOGIN-DELAY 90] wait") == std::chrono::seconds(90));
  CHECK(delay("[LOGIN-DELAY] wait") == std::chrono::seconds(60));
  CHECK_FALSE(delay("[IN-USE] wait"));
}

TEST_CASE("a token goes in two steps, and a refused one is fetched anew, once") {
  const auto token = [](const std::string& value) {
    return base64_encode(
        "user=ann\x01"
        "auth=Bearer " +
        value + "\x01\x01");
  };
  Dialogue dialogue(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL PLAIN XOAUTH2\nS: .\n"
       "C: AUTH XOAUTH2\nS: + \nC: " +
       token("old") +
       "\n"
       "S: + " +
       base64_encode(R"({"status":"401"})") +
       "\nC: \nS: -ERR [AUTH] expired\n"
       "C: AUTH XOAUTH2\nS: + \nC: " +
       token("new") +
       "\nS: +OK\n"
       "C: CAPA\nS: -ERR\n"});
  dialogue.secrets = Secrets({"old", "new"});
  dialogue.run("pop3s://ann@old.example?auth=xoauth2", connect);
  CHECK(dialogue.secrets.asked() == 2);
}

TEST_CASE("a token that is refused twice ends the login, with what the server said about it") {
  const std::string response = base64_encode(
      "user=ann\x01"
      "auth=Bearer pa$$word\x01\x01");
  const std::string round = "C: AUTH XOAUTH2\nS: + \nC: " + response + "\nS: + " +
                            base64_encode(R"({"status":"401","scope":"mail"})") +
                            "\nC: \nS: -ERR no\n";
  Dialogue dialogue({"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL XOAUTH2\nS: .\n" + round + round});
  const Error error = dialogue.failure("pop3s://ann@old.example?auth=XOAUTH2");
  CHECK(error.kind() == ErrorKind::auth);
  CHECK(error.message().find("\"scope\":\"mail\"") != std::string::npos);
}

TEST_CASE("who acts for another user says so, or does not log in") {
  using namespace std::string_literals;
  Dialogue good(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL LOGIN PLAIN\nS: .\n"
       "C: AUTH PLAIN\nS: + \nC: " +
       base64_encode("bob\0ann\0pa$$word"s) + "\nS: +OK\nC: CAPA\nS: -ERR\n"});
  good.run("pop3s://ann@old.example?as=bob", connect);
  Dialogue bad({"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL LOGIN\nS: USER\nS: .\n"});
  CHECK(bad.failure("pop3s://ann@old.example?as=bob").kind() == ErrorKind::auth);
}

TEST_CASE("a mechanism that was asked for and is not offered is an error") {
  Dialogue dialogue({"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL LOGIN\nS: USER\nS: .\n"});
  const Error error = dialogue.failure("pop3s://ann@old.example?auth=SCRAM-SHA-256");
  CHECK(error.kind() == ErrorKind::auth);
  CHECK(error.message().find("offers LOGIN") != std::string::npos);
}

TEST_CASE("what is no POP3 server is told so") {
  for (const std::string greeting : {"* OK IMAP4rev1 ready", "220 smtp ready", "+ hello"}) {
    Dialogue dialogue({"S: " + greeting + "\n"});
    CHECK(dialogue.failure(kUrl).kind() == ErrorKind::protocol);
  }
}

TEST_CASE("a server that does not let us in may do so later") {
  Dialogue refused({"S: -ERR too many connections\n"});
  const Error error = refused.failure(kUrl);
  CHECK(error.kind() == ErrorKind::transient);
  CHECK(error.message().find("too many connections") != std::string::npos);
  Dialogue closed({""});
  CHECK(closed.failure(kUrl).kind() == ErrorKind::transient);
}

TEST_CASE("a challenge that is not base64 ends the exchange") {
  Dialogue dialogue(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL CRAM-MD5\nS: .\n"
       "C: AUTH CRAM-MD5\nS: + <not base64>\nC: *\nS: -ERR aborted\n"});
  CHECK(dialogue.failure("pop3s://ann@old.example?auth=CRAM-MD5").kind() == ErrorKind::protocol);
}

TEST_CASE("a server that says yes to SCRAM without a proof is not believed") {
  Dialogue dialogue(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL SCRAM-SHA-256\nS: .\nC: AUTH SCRAM-SHA-256\nS: +OK "
       "welcome\n"});
  CHECK(dialogue.failure(kUrl).kind() == ErrorKind::protocol);
}

TEST_CASE("a server that never ends the exchange is left") {
  std::string rounds;
  for (int i = 0; i < 20; ++i) rounds += "S: + \nC: *\n";
  Dialogue dialogue(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL CRAM-MD5\nS: .\n"
       "C: AUTH CRAM-MD5\nS: + %\nC: *\n" +
       rounds + "S: + \n"});
  CHECK(dialogue.failure("pop3s://ann@old.example?auth=CRAM-MD5").kind() == ErrorKind::protocol);
}

TEST_CASE("secrets are marked for the transcript") {
  Dialogue sasl(
      {"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL LOGIN\nS: .\n"
       "C: AUTH LOGIN\nS: + VXNlcm5hbWU6\nC: " +
       base64_encode("ann") + "\nS: + UGFzc3dvcmQ6\nC: " + base64_encode("pa$$word") +
       "\nS: +OK\nC: CAPA\nS: -ERR\n"});
  sasl.run(kUrl, connect);
  CHECK(joined(sasl.writes) == "CAPA\r\nAUTH LOGIN\r\n<secret><secret>CAPA\r\n");
  Dialogue user({logged_in("", "")});
  user.run(kUrl, connect);
  CHECK(joined(user.writes) == "CAPA\r\nUSER ann\r\n<secret>CAPA\r\n");
}

TEST_CASE("a password that cannot be said is an error before it is sent") {
  Dialogue dialogue({"S: +OK ready\nC: CAPA\nS: -ERR\n"});
  dialogue.secrets = Secrets({"two\r\nlines"});
  CHECK(dialogue.failure(kUrl).kind() == ErrorKind::usage);
}
