// Whole messages on their way to a sink.
#include <catch2/catch.hpp>
#include <string>

#include "connectors/pop3/source.h"
#include "tests/pop3/dialogue.h"

using namespace postferry;
using namespace postferry::pop3::test;

namespace {

const char* const kUrl = "pop3s://ann@old.example";

/// A login and a catalogue of messages 1.. with these sizes, whose UIDLs are a, b, c...
std::string maildrop(const std::vector<std::string>& sizes, const std::string& script,
                     const std::string& capabilities = "PIPELINING TOP UIDL") {
  std::string uidl = "S: +OK\n";
  std::string list = "S: +OK\n";
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    uidl += "S: " + number + " " +
            (i < 26 ? std::string(1, static_cast<char>('a' + i)) : "u" + number) + "\n";
    list += "S: " + number + " " + sizes[i] + "\n";
  }
  uidl += "S: .\n";
  list += "S: .\n";
  const bool together = capabilities.find("PIPELINING") != std::string::npos;
  return logged_in(capabilities, (together ? "C: UIDL\nC: LIST\n" + uidl + list
                                           : "C: UIDL\n" + uidl + "C: LIST\n" + list) +
                                     script);
}

/// Fetches the whole catalogue; what it throws is kept, and the session said goodbye to.
struct Fetched {
  Collector sink;
  std::optional<Error> error;
};

Fetched fetch_all(Dialogue& dialogue, std::vector<std::string> also = {}) {
  Fetched fetched;
  dialogue.run_session(kUrl, [&](SourceSession& session) -> Task<void> {
    const Catalogue catalogue = co_await session.catalogue();
    std::vector<Catalogue::Entry> wanted;
    for (std::size_t i = 0; i < catalogue.size(); ++i) wanted.push_back(catalogue[i]);
    for (const std::string& key : also) {
      wanted.push_back({MessageKey(key), 1, std::nullopt, wanted.at(0).flags});
    }
    try {
      co_await session.fetch(std::move(wanted), fetched.sink);
    } catch (const Error& error) {
      fetched.error = error;
    }
    co_await session.logout();
  });
  CHECK(fetched.sink.received_size_matches);
  return fetched;
}

std::vector<std::string> keys(const Collector& sink) {
  std::vector<std::string> keys;
  for (const Received& message : sink.messages) keys.push_back(message.key);
  return keys;
}

}  // namespace

TEST_CASE("messages come byte for byte, in order, pipelined") {
  Dialogue dialogue({maildrop(
      {"20", "9"},
      "C: RETR 1\nC: RETR 2\n"
      "S: +OK 20 octets\nS: Subject: x\nS: \nS: ..dot\nS: ..\nS: .\nS: +OK\nS: a\\nb\\rc\nS: .\n"
      "C: QUIT\nS: +OK\n")});
  dialogue.pipe.read_chunk = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{100000});
  const Fetched fetched = fetch_all(dialogue);
  CHECK_FALSE(fetched.error);
  REQUIRE(keys(fetched.sink) == std::vector<std::string>{"a", "b"});
  CHECK(fetched.sink.messages[0].bytes == "Subject: x\r\n\r\n.dot\r\n.\r\n");
  CHECK(fetched.sink.messages[1].bytes == "a\nb\rc\r\n");
  CHECK(fetched.sink.messages[0].held);
  CHECK(fetched.sink.missed.empty());
  CHECK(std::ranges::count(dialogue.writes, "RETR 1\r\nRETR 2\r\n") == 1);
}

TEST_CASE("without PIPELINING one message is asked for at a time") {
  Dialogue dialogue({maildrop(
      {"1", "1"}, "C: RETR 1\nS: +OK\nS: a\nS: .\nC: RETR 2\nS: +OK\nS: b\nS: .\nC: QUIT\nS: +OK\n",
      "UIDL")});
  CHECK(keys(fetch_all(dialogue).sink) == std::vector<std::string>{"a", "b"});
  CHECK(std::ranges::count(dialogue.writes, "RETR 1\r\n") == 1);
  CHECK(std::ranges::count(dialogue.writes, "RETR 2\r\n") == 1);
}

TEST_CASE("date and flags come out of the header") {
  Dialogue dialogue(
      {maildrop({"1", "1", "1"},
                "C: RETR 1\nC: RETR 2\nC: RETR 3\n"
                "S: +OK\nS: Received: by x; Tue, 14 Nov 2006 13:34:56 +0100\n"
                "S: Date: Mon, 13 Nov 2006 00:00:00 +0000\nS: Status: RO\nS: X-Status: AF\n"
                "S: X-Keywords: work $Forwarded\nS: \nS: .\n"
                "S: +OK\nS: Date: Tue, 14 Nov 2006 12:34:56 +0000\nS: X-Status: DT\nS: \nS: .\n"
                "S: +OK\nS: Received: by x; Tue, 14 Nov 2096 13:34:56 +0100\nS: \nS: .\n"
                "C: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.sink.messages.size() == 3);
  const auto& m = fetched.sink.messages;
  CHECK(m[0].date == InternalDate{1163507696, 60});
  CHECK(m[0].flags == Flags::parse("\\Seen \\Answered \\Flagged $Forwarded work"));
  CHECK(m[1].date == InternalDate{1163507696, 0});
  CHECK(m[1].flags == Flags::parse("\\Deleted \\Draft"));
  CHECK_FALSE(m[2].date);
  CHECK(m[2].flags.empty());
}

TEST_CASE("sizes of LIST are not believed") {
  Dialogue dialogue({maildrop(
      {"0", "1000000", "99999999999999"},
      "C: RETR 1\nC: RETR 2\nC: RETR 3\n"
      "S: +OK 5 octets\nS: much more than nothing\nS: .\nS: +OK\nS: b\nS: .\nS: +OK\nS: c\nS: .\n"
      "C: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.sink.messages.size() == 3);
  CHECK(fetched.sink.messages[0].bytes == "much more than nothing\r\n");
  CHECK(fetched.sink.messages[1].bytes == "b\r\n");
}

TEST_CASE("a large message is spooled, byte for byte") {
  std::string script = "C: RETR 1\nC: RETR 2\nS: +OK\nS: Status: R\nS: \n";
  std::string expected = "Status: R\r\n\r\n";
  for (int i = 0; i < 40000; ++i) {
    const std::string line =
        "..line " + std::to_string(i) + " of a message that is larger than it should be";
    script += "S: " + line + "\n";
    expected += line.substr(1) + "\r\n";
  }
  script += "S: .\nS: +OK\nS: b\nS: .\nC: QUIT\nS: +OK\n";
  Dialogue dialogue({maildrop({"10", "1"}, script)});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.sink.messages.size() == 2);
  REQUIRE(expected.size() > 2 * kHoldLimit);
  CHECK_FALSE(fetched.sink.messages[0].held);
  CHECK((fetched.sink.messages[0].bytes == expected));
  CHECK(fetched.sink.messages[0].flags.system == Flags::seen);
  CHECK(fetched.sink.messages[1].bytes == "b\r\n");
}

TEST_CASE("thousands of messages pass through the window") {
  constexpr int kCount = 5000;
  std::vector<std::string> sizes(kCount, "50000");
  std::string script;
  for (int i = 1; i <= kCount; ++i) {
    script += "C: RETR " + std::to_string(i) + "\nS: +OK\nS: " + std::to_string(i) + "\nS: .\n";
  }
  Dialogue dialogue({maildrop(sizes, script + "C: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.sink.messages.size() == kCount);
  for (int i = 0; i < kCount; ++i) {
    REQUIRE(fetched.sink.messages[static_cast<std::size_t>(i)].bytes ==
            std::to_string(i + 1) + "\r\n");
  }
}

TEST_CASE("a refused message is asked for again alone, after the others") {
  Dialogue dialogue(
      {maildrop({"1", "1", "1", "1"},
                "C: RETR 1\nC: RETR 2\nC: RETR 3\nC: RETR 4\n"
                "S: -ERR internal error\nS: -ERR broken\nS: -ERR gone\nS: +OK\nS: d\nS: .\n"
                "C: RETR 1\nS: +OK\nS: a\nS: .\n"
                "C: RETR 2\nS: -ERR cannot read it\nC: LIST\nS: +OK\nS: 1 1\nS: 2 1\nS: 4 1\nS: .\n"
                "C: RETR 3\nS: -ERR no such message\n"
                "C: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  CHECK(keys(fetched.sink) == std::vector<std::string>{"d", "a"});
  REQUIRE(fetched.sink.missed.size() == 2);
  CHECK(fetched.sink.missed[0].key == "b");
  CHECK_FALSE(fetched.sink.missed[0].gone);
  CHECK(fetched.sink.missed[0].reason == "-ERR cannot read it");
  CHECK(fetched.sink.missed[1].key == "c");
  CHECK(fetched.sink.missed[1].gone);
}

TEST_CASE("a message without bytes, where LIST promises some, is none") {
  Dialogue dialogue({maildrop(
      {"100", "0"},
      "C: RETR 1\nC: RETR 2\nS: +OK\nS: .\nS: +OK\nS: .\n"
      "C: RETR 1\nS: +OK\nS: .\nC: LIST\nS: +OK\nS: 1 100\nS: 2 0\nS: .\nC: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  CHECK(keys(fetched.sink) == std::vector<std::string>{"b"});
  REQUIRE(fetched.sink.missed.size() == 1);
  CHECK(fetched.sink.missed[0].key == "a");
  CHECK_FALSE(fetched.sink.missed[0].gone);
}

TEST_CASE("a server that cannot just now is asked later, not blamed on the message") {
  Dialogue dialogue({maildrop({"1"},
                              "C: RETR 1\nS: -ERR [SYS/TEMP] later\nC: RETR 1\nS: -ERR [SYS/TEMP] "
                              "later\nC: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.error);
  CHECK(fetched.error->kind() == ErrorKind::transient);
  CHECK(fetched.sink.missed.empty());
}

TEST_CASE("a key that this session does not list is gone") {
  Dialogue dialogue({maildrop({"1"}, "C: RETR 1\nS: +OK\nS: a\nS: .\nC: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue, {"nowhere"});
  REQUIRE(fetched.sink.missed.size() == 1);
  CHECK(fetched.sink.missed[0].key == "nowhere");
  CHECK(fetched.sink.missed[0].gone);
}

TEST_CASE("a message that is cut is not delivered, and the session is dead") {
  const std::string cut = GENERATE("S: +OK\nS: half a\\c\n", "S: +OK\nS: whole lines\n",
                                   "S: +OK\nS: x\nS: .\\r\\c\n", "S: +O\\c\n", "");
  const std::string how = GENERATE("", "CUT\n");
  Dialogue dialogue(
      {maildrop({"1", "1000"}, "C: RETR 1\nC: RETR 2\nS: +OK\nS: a\nS: .\n" + cut + how)});
  const Fetched fetched = fetch_all(dialogue);
  CHECK(keys(fetched.sink) == std::vector<std::string>{"a"});
  REQUIRE(fetched.error);
  CHECK(fetched.error->kind() == ErrorKind::transient);
  CHECK(fetched.sink.missed.empty());
  CHECK(std::ranges::count(dialogue.writes, "QUIT\r\n") == 0);
}

TEST_CASE("a dot glued to the last line is seen when the line falls silent and LIST agrees") {
  Dialogue agrees({maildrop({"10"}, "C: RETR 1\nS: +OK\nS: last words.\nCUT\n")});
  CHECK(fetch_all(agrees).sink.messages.size() == 1);
  Dialogue differs({maildrop({"11"}, "C: RETR 1\nS: +OK\nS: last words.\nCUT\n")});
  CHECK(fetch_all(differs).sink.messages.empty());
}

TEST_CASE("a lone dot after a bare LF is no end if more follows that is no reply") {
  Dialogue dialogue({maildrop({"1"}, "C: RETR 1\nS: +OK\nS: a\\n.\nS: b\nS: .\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.error);
  CHECK(fetched.error->kind() == ErrorKind::protocol);
  CHECK(fetched.sink.messages.empty());
}

TEST_CASE("a line of dashes behind a lone dot is no reply, however it is split") {
  Dialogue dialogue({maildrop(
      {"1", "1"},
      "C: RETR 1\nC: RETR 2\nS: +OK\nS: a\\n.\nS: --boundary\nS: .\nS: +OK\nS: b\nS: .\n")});
  dialogue.pipe.read_chunk = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{100000});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.error);
  CHECK(fetched.error->kind() == ErrorKind::protocol);
  CHECK(fetched.sink.messages.empty());
}

TEST_CASE("a message that the server lists is there, whatever it says of it alone") {
  Dialogue dialogue({maildrop({"1"},
                              "C: RETR 1\nS: -ERR storage failed\nC: RETR 1\nS: -ERR storage "
                              "failed\nC: LIST\nS: +OK\nS: 1 1\nS: .\nC: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.sink.missed.size() == 1);
  CHECK_FALSE(fetched.sink.missed[0].gone);
  CHECK(fetched.sink.missed[0].reason == "-ERR storage failed");
}

TEST_CASE("a server that only knows bare LF is understood") {
  Dialogue dialogue({maildrop({"1", "1"},
                              "C: RETR 1\nC: RETR 2\nS: +OK\\na\\n..b\\n.\\n\\c\nS: "
                              "+OK\\nc\\n.\\n\\c\nC: QUIT\nS: +OK\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.sink.messages.size() == 2);
  CHECK(fetched.sink.messages[0].bytes == "a\n.b\n");
  CHECK(fetched.sink.messages[1].bytes == "c\n");
}

TEST_CASE("a status line that is none, amid messages, ends the session") {
  Dialogue dialogue(
      {maildrop({"1", "1"}, "C: RETR 1\nC: RETR 2\nS: +OK\nS: a\nS: .\nS: what now?\n")});
  const Fetched fetched = fetch_all(dialogue);
  REQUIRE(fetched.error);
  CHECK(fetched.error->kind() == ErrorKind::protocol);
  CHECK(keys(fetched.sink) == std::vector<std::string>{"a"});
}
