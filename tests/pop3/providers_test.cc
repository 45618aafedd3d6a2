// What real servers do to a reader of POP3, each under its number in the reference of providers,
// with the dialogue that shows it.
#include <catch2/catch.hpp>
#include <string>

#include "tests/pop3/dialogue.h"

using namespace postferry;
using namespace postferry::pop3::test;

namespace {

const char* const kUrl = "pop3s://ann@old.example";

std::string refused_login(const std::string& words) {
  return "S: +OK ready\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS pa$$word\nS: -ERR " + words +
         "\n";
}

Error refusal(const std::string& words) {
  Dialogue dialogue({refused_login(words)});
  return dialogue.failure(kUrl);
}

struct Shows {
  bool windows = false, all = false;
};

Shows shows(const std::string& script, const std::string& url = kUrl) {
  Dialogue dialogue({script});
  Shows out;
  dialogue.run_session(url, [&out](SourceSession& session) -> Task<void> {
    out = {session.windowed(), session.shows_all()};
    co_await session.logout();
  });
  return out;
}

bool shows_windows(const std::string& script, const std::string& url = kUrl) {
  return shows(script, url).windows;
}

/// The headers of all messages, in as many sessions as there are scripts but one; the last works.
std::vector<HeaderEntry> headers(Dialogue& dialogue, std::vector<std::string> names, int failures) {
  std::vector<HeaderEntry> found;
  dialogue.run(kUrl, [&](Source& source) -> Task<void> {
    for (int attempt = 0; attempt <= failures; ++attempt) {
      std::vector<MessageKey> keys;
      for (const std::string& name : names) keys.emplace_back(name);
      const std::unique_ptr<SourceSession> session = co_await source.connect();
      try {
        found = co_await session->headers(std::move(keys));
      } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::transient);
        continue;
      }
      co_await session->logout();
    }
  });
  return found;
}

const std::string kListing =
    "C: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: .\nC: LIST\nS: +OK\nS: 1 60\nS: 2 60\nS: .\n";

}  // namespace

TEST_CASE("providers 1: Gmail shows windows, but not to recent:, and is known by two signs") {
  CHECK(shows_windows(logged_in("TOP UIDL X-GOOGLE-RICO", "C: QUIT\nS: +OK\n")));
  CHECK(
      shows_windows("S: +OK Gpop ready for requests from 192.0.2.1 x9\nC: CAPA\nS: -ERR\n"
                    "C: USER ann\nS: +OK send PASS\nC: PASS pa$$word\nS: +OK Welcome.\n"
                    "C: CAPA\nS: -ERR\nC: QUIT\nS: +OK Farewell.\n"));
  CHECK_FALSE(shows_windows(logged_in("TOP UIDL", "C: QUIT\nS: +OK\n")));
  CHECK_FALSE(shows_windows(
      "S: +OK Gpop ready\nC: CAPA\nS: -ERR\nC: USER recent:ann\nS: +OK\nC: PASS pa$$word\nS: +OK\n"
      "C: CAPA\nS: +OK\nS: X-GOOGLE-RICO\nS: .\nC: QUIT\nS: +OK\n",
      "pop3s://recent%3Aann@old.example"));
}

TEST_CASE("providers 1: software that shows everything to everybody is known by its name") {
  CHECK(shows("S: +OK Dovecot (Debian) ready.\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\n"
              "C: PASS pa$$word\nS: +OK\nC: CAPA\nS: -ERR\nC: QUIT\nS: +OK\n")
            .all);
  CHECK(shows("S: +OK ready\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS pa$$word\nS: +OK\n"
              "C: CAPA\nS: +OK\nS: IMPLEMENTATION Cyrus POP3 server v3.6.1\nS: .\n"
              "C: QUIT\nS: +OK\n")
            .all);
  CHECK_FALSE(shows(logged_in("TOP UIDL", "C: QUIT\nS: +OK\n")).all);
  CHECK_FALSE(shows(logged_in("TOP UIDL X-GOOGLE-RICO", "C: QUIT\nS: +OK\n")).all);
}

TEST_CASE(
    "providers 2: a limit of bytes or commands means later, never a bad password or message") {
  const std::string words = GENERATE("[OVERQUOTA] Account exceeded command or bandwidth limits.",
                                     "Account exceeded bandwidth limits. (Failure)");
  CHECK(refusal(words).kind() == ErrorKind::transient);
  Dialogue dialogue(
      {logged_in("TOP UIDL", kListing + "C: RETR 1\nS: -ERR " + words + "\nC: RETR 2\nS: -ERR " +
                                 words + "\nC: RETR 1\n" + "S: -ERR " + words + "\n")});
  Collector sink;
  const Error error = dialogue.session_failure(kUrl, [&](SourceSession& session) -> Task<void> {
    const Catalogue catalogue = co_await session.catalogue();
    std::vector<Catalogue::Entry> wanted{catalogue[0], catalogue[1]};
    co_await session.fetch(std::move(wanted), sink);
  });
  CHECK(error.kind() == ErrorKind::transient);
  CHECK(sink.missed.empty());
}

TEST_CASE("providers 2: a line that crawls is told, a slow one is not") {
  const bool crawls = GENERATE(true, false);
  const std::string piece = "S: " + std::string(5000, 'x') + "\n";
  std::string script = kListing + "C: RETR 1\nS: +OK\n";
  for (int i = 0; i < 14; ++i) script += piece + (crawls ? "WAIT 6\n" : "WAIT 4\n");
  Dialogue dialogue({logged_in("TOP UIDL", script + "S: .\n")});
  Collector sink;
  dialogue.run_session(kUrl, [&](SourceSession& session) -> Task<void> {
    const Catalogue catalogue = co_await session.catalogue();
    std::vector<Catalogue::Entry> wanted{catalogue[0]};
    co_await session.fetch(std::move(wanted), sink);
  });
  CHECK(sink.messages.size() == 1);
  CHECK(sink.crawls == (crawls ? 1 : 0));
}

TEST_CASE("providers 30: lock, wait, [IN-USE] and [LOGIN-DELAY] mean busy, not a bad password") {
  const std::string words = GENERATE(
      "[IN-USE] Do you have another POP session running?", "[LOGIN-DELAY] minimum time not elapsed",
      "Unable to lock maildrop: Mailbox is locked by POP server", "maildrop lock busy",
      "please wait 60 seconds", "mailbox in use by another session", "[SYS/TEMP] try again");
  CHECK(refusal(words).kind() == ErrorKind::transient);
  CHECK(refusal("[AUTH] Username and password not accepted.").kind() == ErrorKind::auth);
}

TEST_CASE("providers 31: UIDLs blank, repeated, in another order, and LIST that lies or is short") {
  const auto header = [](const std::string& id) {
    return "S: +OK\nS: Message-ID: <" + id + "@x>\nS: Subject: x\nS: \nS: .\n";
  };
  const auto keys = [](std::string script) {
    Dialogue dialogue({logged_in("TOP", std::move(script))});
    std::map<std::string, std::uint64_t> found;
    dialogue.run_session(kUrl, [&found](SourceSession& session) -> Task<void> {
      const Catalogue catalogue = co_await session.catalogue();
      for (std::size_t i = 0; i < catalogue.size(); ++i)
        found[catalogue.key(i).uidl()] = catalogue.size_bytes(i);
      co_await session.logout();
    });
    return found;
  };
  const auto first = keys(
      "C: UIDL\nS: +OK\nS: 1 r\nS: 2 r\nS: 3\nS: 4 good\nS: .\n"
      "C: LIST\nS: +OK\nS: 1 1\nS: 2 2\nS: 3 x\nS: 4 4\nS: .\n"
      "C: TOP 1 0\n" +
      header("one") + "C: TOP 2 0\n" + header("two") + "C: TOP 3 0\n" + header("three") +
      "C: QUIT\nS: +OK\n");
  const auto second = keys(
      "C: UIDL\nS: +OK\nS: 4 r\nS: 1 good\nS: 3 r\nS: 2\nS: .\n"
      "C: LIST\nS: +OK\nS: 4 40\nS: 2 20\nS: 3 30\nS: 1 10\nS: .\n"
      "C: TOP 2 0\n" +
      header("three") + "C: TOP 3 0\n" + header("one") + "C: TOP 4 0\n" + header("two") +
      "C: QUIT\nS: +OK\n");
  REQUIRE(first.size() == 4);
  for (const auto& [key, size] : first) CHECK(second.contains(key));
  CHECK(first.at("good") == 4);
  CHECK(second.at("good") == 10);
}

TEST_CASE("providers 32: a TOP that is cut short is followed by RETR") {
  const std::string cut =
      GENERATE("S: Message-ID: <a@x>\nS: .\n", "S: .\n", "S: Message-ID: <a@x>\nS: Subj\nS: .\n");
  Dialogue dialogue({logged_in(
      "TOP", kListing + "C: TOP 1 0\nS: +OK\n" + cut +
                 "C: TOP 2 0\nS: +OK\nS: Subject: b\nS: \nS: .\n"
                 "C: RETR 1\nS: +OK\nS: Message-ID: <a@x>\nS: Subject: a\nS: \nS: body\nS: .\n"
                 "C: QUIT\nS: +OK\n")});
  const std::vector<HeaderEntry> found = headers(dialogue, {"a", "b"}, 0);
  REQUIRE(found.size() == 2);
  CHECK(found[0].fields.subject == "b");
  CHECK(found[1].fields.subject == "a");
  CHECK(found[1].fields.message_id == "<a@x>");
}

TEST_CASE("providers 32: a TOP whose end is glued to its last line is not asked for again") {
  Dialogue dialogue({logged_in("TOP", kListing + "C: TOP 1 0\nS: +OK\nS: Subject: a.\nCUT\n"),
                     logged_in("TOP", kListing + "C: RETR 1\nS: +OK\nS: Subject: a\nS: \nS: .\n"
                                                 "C: QUIT\nS: +OK\n")});
  const std::vector<HeaderEntry> found = headers(dialogue, {"a"}, 1);
  REQUIRE(found.size() == 1);
  CHECK(found[0].fields.subject == "a");
}

TEST_CASE("providers 32: an end of a dot and a bare LF is an end") {
  Dialogue dialogue(
      {logged_in("TOP", kListing + "C: TOP 1 0\nS: +OK\nS: Subject: a\nS: \nS: .\\n\\c\n"
                                   "C: QUIT\nS: +OK\n")});
  CHECK(headers(dialogue, {"a"}, 0).size() == 1);
}

TEST_CASE("providers 33: a login that comes too soon is tried again when the server allows it") {
  using namespace std::chrono_literals;
  CHECK(refusal("[LOGIN-DELAY 90] wait").retry_after() == 90s);
  CHECK(refusal("[LOGIN-DELAY] wait").retry_after() == 60s);
  CHECK(refusal("login too frequent, only one in 60 seconds").retry_after() == 60s);
  const Error limit = refusal(
      "Exceeded the login limit for a 15 minute period. Reduce the frequency of requests to the "
      "POP3 "
      "server.");
  CHECK(limit.kind() == ErrorKind::transient);
  CHECK(limit.retry_after() == 15min);
  CHECK(refusal("wait 99999999 minutes").retry_after() == 1h);
  CHECK_FALSE(refusal("[IN-USE] wait").retry_after());
}

TEST_CASE("DELE marks, QUIT removes, and its answer decides") {
  struct Case {
    std::string script;
    Removal::How how;
    std::size_t removed;
  };
  const Case c = GENERATE(
      Case{"C: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\nS: +OK\n", Removal::How::removed, 2},
      Case{"C: DELE 1\nS: +OK\nC: DELE 2\nS: -ERR locked\nC: QUIT\nS: +OK\n", Removal::How::removed,
           1},
      Case{"C: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\nS: -ERR some not removed\n",
           Removal::How::unknown, 2},
      Case{"C: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\nCUT\n", Removal::How::unknown, 2});
  Dialogue dialogue({logged_in("TOP", kListing + c.script)});
  Removal removal;
  dialogue.run_session(kUrl, [&](SourceSession& session) -> Task<void> {
    const Catalogue catalogue = co_await session.catalogue();
    std::vector<MessageKey> both{catalogue.key(0), catalogue.key(1)};
    removal = co_await session.remove(std::move(both));
    co_await session.logout();  // says nothing more
  });
  CHECK(removal.how == c.how);
  CHECK(removal.keys.size() == c.removed);
  CHECK(removal.session_over);
  CHECK(removal.words.empty() == (c.how == Removal::How::removed && c.removed == 2));
}

TEST_CASE("a line that is lost before QUIT removes nothing, and is an error") {
  Dialogue dialogue({logged_in("TOP", kListing + "C: DELE 1\nS: +OK\nC: DELE 2\nCUT\n")});
  const Error error = dialogue.session_failure(kUrl, [](SourceSession& session) -> Task<void> {
    const Catalogue catalogue = co_await session.catalogue();
    std::vector<MessageKey> both{catalogue.key(0), catalogue.key(1)};
    co_await session.remove(std::move(both));
  });
  CHECK(error.kind() == ErrorKind::transient);
}
