// What the source makes of a maildrop: its catalogue, its headers, its goodbye.
#include "connectors/pop3/source.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/pop3/dialogue.h"

using namespace postferry;
using namespace postferry::pop3::test;

namespace {

const char* const kUrl = "pop3s://ann@old.example";

struct Listed {
  std::vector<std::string> keys;
  std::vector<std::uint64_t> sizes;
};

Listed catalogue_of(Dialogue& dialogue) {
  Listed listed;
  dialogue.run_session(kUrl, [&listed](SourceSession& session) -> Task<void> {
    const Catalogue catalogue = co_await session.catalogue();
    for (std::size_t i = 0; i < catalogue.size(); ++i) {
      listed.keys.push_back(catalogue.key(i).uidl());
      listed.sizes.push_back(catalogue.size_bytes(i));
    }
    co_await session.logout();
  });
  return listed;
}

std::string header(const std::string& id) {
  return "S: Message-ID: <" + id + "@x>\nS: Subject: x\nS: \nS: .\n";
}

}  // namespace

TEST_CASE("the account has one folder, INBOX, with the numbers of STAT, which is asked once") {
  Dialogue dialogue({logged_in("", "C: STAT\nS: +OK 3 4096\nC: QUIT\nS: +OK\n")});
  std::vector<FolderInfo> folders;
  std::optional<FolderNumbers> numbers;
  dialogue.run_session(kUrl, [&](SourceSession& session) -> Task<void> {
    folders = co_await session.list();
    numbers = co_await session.select(FolderName::parse("INBOX"));
    co_await session.logout();
  });
  REQUIRE(folders.size() == 1);
  CHECK(folders[0].name.is_inbox());
  CHECK(folders[0].role == Role::inbox);
  CHECK(folders[0].selectable);
  CHECK(folders[0].numbers.messages == 3);
  CHECK(folders[0].numbers.size_bytes == 4096);
  CHECK_FALSE(folders[0].numbers.uid_validity);
  CHECK(numbers == folders[0].numbers);
}

TEST_CASE("where STAT is refused nothing is known of the maildrop") {
  Dialogue dialogue({logged_in("", "C: STAT\nS: -ERR no\nC: QUIT\nS: +OK\n")});
  std::optional<FolderNumbers> numbers;
  dialogue.run_session(kUrl, [&](SourceSession& session) -> Task<void> {
    numbers = co_await session.select(FolderName::parse("INBOX"));
    co_await session.logout();
  });
  CHECK(numbers == FolderNumbers{});
}

TEST_CASE("any other folder is not there") {
  Dialogue dialogue({logged_in("", "")});
  const Error error = dialogue.session_failure(kUrl, [](SourceSession& session) -> Task<void> {
    co_await session.select(FolderName::parse("Sent"));
  });
  CHECK(error.kind() == ErrorKind::rejected);
}

TEST_CASE("UIDL and LIST are asked for together where PIPELINING is offered") {
  Dialogue dialogue({logged_in("UIDL PIPELINING",
                               "C: UIDL\nC: LIST\n"
                               "S: +OK\nS: 1 a\nS: 2 b\nS: .\nS: +OK\nS: 1 100\nS: 2 200\nS: .\n"
                               "C: QUIT\nS: +OK\n")});
  dialogue.pipe.read_chunk = GENERATE(std::size_t{1}, std::size_t{1000});
  const Listed listed = catalogue_of(dialogue);
  CHECK(listed.keys == std::vector<std::string>{"a", "b"});
  CHECK(listed.sizes == std::vector<std::uint64_t>{100, 200});
}

TEST_CASE("elsewhere they are asked for one after the other") {
  Dialogue dialogue({logged_in("UIDL",
                               "C: UIDL\nS: +OK\nS: 1 a\nS: .\n"
                               "C: LIST\nS: +OK\nS: 1 100\nS: .\n"
                               "C: QUIT\nS: +OK\n")});
  CHECK(catalogue_of(dialogue).keys == std::vector<std::string>{"a"});
  CHECK(std::ranges::count(dialogue.writes, "UIDL\r\n") == 1);
}

TEST_CASE("an empty maildrop is an empty catalogue") {
  Dialogue dialogue(
      {logged_in("", "C: UIDL\nS: +OK\nS: .\nC: LIST\nS: +OK\nS: .\nC: QUIT\nS: +OK\n")});
  CHECK(catalogue_of(dialogue).keys.empty());
}

TEST_CASE("lines out of order, repeated or without a partner are joined by number") {
  Dialogue dialogue({logged_in("TOP",
                               "C: UIDL\nS: +OK\nS: 3 c\nS: 1 a\nS: 1 other\nS: 9 z\nS: .\n"
                               "C: LIST\nS: +OK\nS: 3 300\nS: 1 100\nS: 3 333\nS: 2 200\nS: .\n"
                               "C: TOP 2 0\nS: +OK\n" +
                                   header("two") + "C: QUIT\nS: +OK\n")});
  const Listed listed = catalogue_of(dialogue);
  REQUIRE(listed.keys.size() == 3);
  CHECK(listed.keys[0] == "a");
  CHECK(listed.keys[1].starts_with(" "));
  CHECK(listed.keys[2] == "c");
  CHECK(listed.sizes == std::vector<std::uint64_t>{100, 200, 300});
}

TEST_CASE("blank and repeated UIDLs get keys that follow the message, not its number") {
  Dialogue first({logged_in(
      "TOP PIPELINING",
      "C: UIDL\nC: LIST\n"
      "S: +OK\nS: 1 x\nS: 2 x\nS: 3\nS: 4 y\nS: .\nS: +OK\nS: 1 1\nS: 2 2\nS: 3 3\nS: 4 4\nS: .\n"
      "C: TOP 1 0\nC: TOP 2 0\nC: TOP 3 0\n"
      "S: +OK\n" +
          header("one") + "S: +OK\n" + header("two") + "S: +OK\n" + header("three") +
          "C: QUIT\nS: +OK\n")});
  Dialogue second(
      {logged_in("TOP PIPELINING",
                 "C: UIDL\nC: LIST\n"
                 "S: +OK\nS: 1\nS: 2 x\nS: 3 x\nS: .\nS: +OK\nS: 1 30\nS: 2 20\nS: 3 10\nS: .\n"
                 "C: TOP 1 0\nC: TOP 2 0\nC: TOP 3 0\n"
                 "S: +OK\nS: Status: RO\n" +
                     header("three") + "S: +OK\n" + header("two") + "S: +OK\n" + header("one") +
                     "C: QUIT\nS: +OK\n")});
  const auto before = catalogue_of(first).keys;
  const auto after = catalogue_of(second).keys;
  REQUIRE(before.size() == 4);
  REQUIRE(after.size() == 3);
  CHECK(before[0].starts_with("x "));
  CHECK(before[2].starts_with(" "));
  CHECK(before[3] == "y");
  CHECK(after[0] == before[2]);
  CHECK(after[1] == before[1]);
  CHECK(after[2] == before[0]);
  CHECK(std::set<std::string>(before.begin(), before.end()).size() == 4);
}

namespace {

/// Three messages with one UIDL and one header, and these texts.
std::vector<std::string> keys_of_look_alikes(const std::vector<std::string>& texts) {
  std::string tops, retrs;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    tops += "C: TOP " + number + " 0\nS: +OK\n" + header("a");
    retrs += "C: RETR " + number + "\nS: +OK\nS: " + texts[i] + "\nS: .\n";
  }
  Dialogue dialogue({logged_in("TOP",
                               "C: UIDL\nS: +OK\nS: 1 x\nS: 2 x\nS: 3 x\nS: .\n"
                               "C: LIST\nS: +OK\nS: 1 1\nS: 2 1\nS: 3 1\nS: .\n" +
                                   tops + retrs + "C: QUIT\nS: +OK\n")});
  return catalogue_of(dialogue).keys;
}

}  // namespace

TEST_CASE("copies that nothing tells apart are counted") {
  const auto keys = keys_of_look_alikes({"text", "text", "text"});
  REQUIRE(keys.size() == 3);
  CHECK(keys[1] == keys[0] + " 2");
  CHECK(keys[2] == keys[0] + " 3");
}

TEST_CASE("messages that only their texts tell apart have names that follow them") {
  const auto before = keys_of_look_alikes({"one", "two", "three"});
  const auto after = keys_of_look_alikes({"three", "one", "two"});
  REQUIRE(before.size() == 3);
  REQUIRE(after.size() == 3);
  CHECK(std::set<std::string>(before.begin(), before.end()).size() == 3);
  CHECK(after == std::vector<std::string>{before[2], before[0], before[1]});
}

TEST_CASE("a server without UIDL is read by its headers, by RETR where there is no TOP") {
  Dialogue dialogue({logged_in(
      "USER",
      "C: UIDL\nS: -ERR unknown command\n"
      "C: LIST\nS: +OK\nS: 1 1\nS: 2 2\nS: .\n"
      "C: RETR 1\nS: +OK\n" +
          header("a") + "C: RETR 2\nS: -ERR cannot\nC: LIST 2\nS: +OK 2 2\nC: QUIT\nS: +OK\n")});
  const auto keys = catalogue_of(dialogue).keys;
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].size() == 25);
  CHECK(keys[1] == " unreadable");
}

TEST_CASE("a header that is refused for now is not a header that is not there") {
  Dialogue dialogue({logged_in("USER",
                               "C: UIDL\nS: -ERR unknown command\nC: LIST\nS: +OK\nS: 1 1\nS: .\n"
                               "C: RETR 1\nS: -ERR [SYS/TEMP] the storage is away\n")});
  const Error error = dialogue.session_failure(
      kUrl, [](SourceSession& session) -> Task<void> { co_await session.catalogue(); });
  CHECK(error.kind() == ErrorKind::transient);
}

TEST_CASE("a LIST that is refused ends the catalogue") {
  const auto failure = [](const std::string& words) {
    Dialogue dialogue({logged_in("", "C: UIDL\nS: +OK\nS: .\nC: LIST\nS: -ERR " + words + "\n")});
    return dialogue.session_failure(
        kUrl, [](SourceSession& session) -> Task<void> { co_await session.catalogue(); });
  };
  CHECK(failure("[SYS/TEMP] later").kind() == ErrorKind::transient);
  CHECK(failure("never").kind() == ErrorKind::rejected);
}

TEST_CASE("a line of a listing that makes no sense is a protocol error") {
  Dialogue dialogue({logged_in("", "C: UIDL\nS: +OK\nS: one a\nS: .\n")});
  const Error error = dialogue.session_failure(
      kUrl, [](SourceSession& session) -> Task<void> { co_await session.catalogue(); });
  CHECK(error.kind() == ErrorKind::protocol);
  CHECK(error.message().find("one a") != std::string::npos);
}

TEST_CASE(
    "headers come by TOP, by RETR for those that TOP refuses, and are left out where both are") {
  Dialogue dialogue({logged_in("TOP PIPELINING",
                               "C: UIDL\nC: LIST\nS: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\nS: +OK\nS: "
                               "1 1\nS: 2 2\nS: 3 3\nS: .\n"
                               "C: TOP 1 0\nC: TOP 2 0\nC: TOP 3 0\n"
                               "S: +OK\nS: Received: by x\nS: Message-ID: <1>\nS: From: f\nS: To: "
                               "t\nS: Date: d\nS: Subject: one\nS:  line\nS: \nS: .\n"
                               "S: -ERR\nS: -ERR\nC: RETR 2\nC: RETR 3\nS: +OK\nS: Subject: "
                               "two\nS: \nS: body\nS: .\nS: -ERR\nC: LIST 3\nS: +OK 3 3\n"
                               "C: QUIT\nS: +OK\n")});
  std::vector<HeaderEntry> headers;
  dialogue.run_session(kUrl, [&](SourceSession& session) -> Task<void> {
    std::vector<MessageKey> keys;
    for (const char* key : {"a", "b", "c", "nowhere"}) keys.emplace_back(std::string(key));
    headers = co_await session.headers(std::move(keys));
    co_await session.logout();
  });
  REQUIRE(headers.size() == 2);
  CHECK(headers[0].key.uidl() == "a");
  CHECK(headers[0].fields.message_id == "<1>");
  CHECK(headers[0].fields.from == "f");
  CHECK(headers[0].fields.to == "t");
  CHECK(headers[0].fields.date == "d");
  CHECK(headers[0].fields.subject == "one line");
  CHECK(headers[0].fields.received == "by x");
  CHECK(headers[1].key.uidl() == "b");
  CHECK(headers[1].fields.subject == "two");
  CHECK_FALSE(headers[1].fields.received);
}

TEST_CASE("an -ERR with which the server leaves says nothing of the message that was asked for") {
  Dialogue dialogue({logged_in("",
                               "C: UIDL\nS: +OK\nS: 1 a\nS: .\nC: LIST\nS: +OK\nS: 1 1\nS: .\n"
                               "C: RETR 1\nS: -ERR idle for too long\nCUT\n")});
  const Error error = dialogue.session_failure(kUrl, [](SourceSession& session) -> Task<void> {
    co_await session.catalogue();
    std::vector<MessageKey> keys(1, MessageKey(std::string("a")));
    co_await session.headers(std::move(keys));
  });
  CHECK(error.kind() == ErrorKind::transient);
}

TEST_CASE("logout never fails") {
  const std::string end = GENERATE("", "C: QUIT\n", "C: QUIT\nS: -ERR not yet\n", "CUT\n");
  Dialogue dialogue({logged_in("", end)});
  dialogue.strict = end != "";
  dialogue.run_session(kUrl,
                       [](SourceSession& session) -> Task<void> { co_await session.logout(); });
}

TEST_CASE("a server that does not answer QUIT is left after a moment") {
  Dialogue dialogue({logged_in("", "C: QUIT\nC: more\n")});
  dialogue.strict = false;
  dialogue.run_session(kUrl,
                       [](SourceSession& session) -> Task<void> { co_await session.logout(); });
}

TEST_CASE("what the server says unasked is never taken for an answer") {
  const auto kind = [](const std::string& words) {
    Dialogue dialogue({logged_in("", "C: STAT\nS: +OK 0 0\nS: " + words + "\n")});
    return dialogue
        .session_failure(kUrl,
                         [](SourceSession& session) -> Task<void> {
                           co_await session.list();
                           co_await session.catalogue();
                         })
        .kind();
  };
  CHECK(kind("-ERR idle for too long") == ErrorKind::transient);
  CHECK(kind("+OK by the way") == ErrorKind::protocol);
}

TEST_CASE("a maildrop is open once") {
  Dialogue dialogue({});
  dialogue.run(kUrl, [](Source& source) -> Task<void> {
    CHECK(source.max_sessions() == 1);
    CHECK(source.describe() == "pop3s://ann@old.example");
    co_return;
  });
}
