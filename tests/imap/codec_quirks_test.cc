// What servers in the field were seen to send, and hostile ones might: read, or refused in words.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/imap/split.h"

using namespace postferry::imap;
using namespace postferry::imap::testing;
using namespace std::string_literals;

namespace {

std::vector<Response> parse_all(const std::string& bytes) {
  std::vector<Response> responses;
  for (const Collected& one : COLLECT_SPLIT(bytes))
    responses.push_back(parse_response(one.frame()));
  return responses;
}

template <typename T>
const T& as(const Response& response) {
  REQUIRE(std::holds_alternative<T>(response));
  return std::get<T>(response);
}

}  // namespace

TEST_CASE("Gmail: an account over its daily limit is told apart by its code") {
  const auto got = parse_all(
      "A7 NO [OVERQUOTA] Account exceeded command or bandwidth limits\r\n* BYE Session expired\r\n"
      "A8 NO [THROTTLED] slow down\r\n* BYE Invalid character in literal\r\n");
  CHECK(as<StatusResponse>(got[0]).has(Code::kOverQuota));
  CHECK(as<StatusResponse>(got[1]).text == "Session expired");
  CHECK(as<StatusResponse>(got[2]).has(Code::kThrottled));
}

TEST_CASE("Exchange: throttling is said in the text of a BAD") {
  const auto got =
      parse_all("A7 BAD Request is throttled. Suggested Backoff Time: 8422 milliseconds\r\n");
  CHECK(as<StatusResponse>(got[0]).status == Status::kBad);
  CHECK(as<StatusResponse>(got[0]).text ==
        "Request is throttled. Suggested Backoff Time: 8422 milliseconds");
}

TEST_CASE("Exchange: COPYUID comes untagged, or broken, and the answer still counts") {
  const auto got =
      parse_all("* OK [COPYUID 14 1:2 7:8]\r\nA1 OK [COPYUID 14  ] COPY completed\r\n");
  CHECK(code_copy_uid(*as<StatusResponse>(got[0]).code));
  CHECK(as<StatusResponse>(got[1]).status == Status::kOk);
  CHECK_FALSE(code_copy_uid(*as<StatusResponse>(got[1]).code));
}

TEST_CASE("Exchange: a FETCH number above EXISTS is only a number") {
  const auto got = parse_all("* 2 EXISTS\r\n* 4294967295 FETCH (FLAGS (\\Seen) UID 9)\r\n");
  CHECK(as<FetchData>(got[1]).uid == 9u);
}

TEST_CASE("Yahoo: a body may come back as an empty string") {
  const auto got = parse_all("* 5 FETCH (UID 12 BODY[] \"\")\r\nA3 OK UID FETCH completed\r\n");
  REQUIRE(as<FetchData>(got[0]).sections.size() == 1);
  CHECK(as<FetchData>(got[0]).sections[0].form == FetchSection::Form::kString);
  CHECK(as<FetchData>(got[0]).sections[0].size == 0);
}

TEST_CASE("NetEase: STATUS may lack UIDNEXT, and login may be unsafe") {
  const auto got = parse_all(
      "* STATUS \"&g0l6P3ux-\" (MESSAGES 3 UIDVALIDITY 1)\r\n"
      "A4 NO SELECT Unsafe Login. Please contact kefu@188.com for help\r\n");
  CHECK_FALSE(as<StatusData>(got[0]).uid_next);
  CHECK(as<StatusResponse>(got[1]).status == Status::kNo);
}

TEST_CASE("Yandex, Zimbra: a day of two digits is the same day") {
  const auto got = parse_all(
      "* 1 FETCH (UID 1 INTERNALDATE \"07-Nov-2016 10:11:12 +0100\")\r\n"
      "* 2 FETCH (UID 2 INTERNALDATE \" 7-Nov-2016 10:11:12 +0100\")\r\n");
  CHECK(as<FetchData>(got[0]).internal_date == as<FetchData>(got[1]).internal_date);
  CHECK(as<FetchData>(got[0]).internal_date);
}

TEST_CASE("Domino: a backslash as delimiter, and a date that never was") {
  const auto got = parse_all(
      "* LIST (\\HasNoChildren) \"\\\\\" \"Ablage\\\\2019\"\r\n"
      "* LIST () \"\\\" Ablage\\2019\r\n"
      "* 1 FETCH (UID 1 INTERNALDATE \"00-Jan-0000 00:00:00 +0000\")\r\n");
  CHECK(as<ListData>(got[0]).name == "Ablage\\2019");
  CHECK(as<ListData>(got[1]).name == "Ablage\\2019");
  CHECK(as<ListData>(got[1]).delimiter == '\\');
  CHECK_FALSE(as<FetchData>(got[2]).internal_date);
}

TEST_CASE("GroupWise: a literal without its length is refused, not guessed") {
  CHECK_THROWS_AS(collect("* 1 FETCH (UID 1 BODY[] {}\r\nFrom: a\r\n)\r\n", 1), ProtocolError);
}

TEST_CASE("Courier: names under INBOX, and a SELECT without UIDNEXT") {
  const auto got = parse_all(
      "* LIST (\\HasChildren \\Marked) \".\" \"INBOX.a\"\r\n* FLAGS ($MDNSent \\Draft)\r\n"
      "* OK [PERMANENTFLAGS ()] No permanent flags permitted\r\n* 0 EXISTS\r\n* 0 RECENT\r\n"
      "* OK [UIDVALIDITY 1500000000] Ok\r\n* OK [MYRIGHTS \"acdilrsw\"] ACL\r\nA2 OK [READ-WRITE] "
      "Ok\r\n");
  CHECK(as<ListData>(got[0]).delimiter == '.');
  CHECK(code_flags(*as<StatusResponse>(got[2]).code)->empty());
  CHECK(as<StatusResponse>(got[6]).code->name == "MYRIGHTS");
}

TEST_CASE("A NUL in a body is a byte like others, and 8-bit names are kept raw") {
  const auto got = parse_all(
      "* 1 FETCH (UID 1 BODY[] {3}\r\na\0b)\r\n* LIST () \"/\" \"R&D\"\r\n"s
      "* LIST () \"/\" \"Entw\xfcrfe\"\r\n");
  CHECK(as<FetchData>(got[0]).sections[0].bytes == "a\0b"s);
  CHECK(as<ListData>(got[1]).name == "R&D");
  CHECK(as<ListData>(got[2]).name == "Entw\xfcrfe");
}

TEST_CASE("Literals in odd places are read where they stand") {
  const auto got = parse_all(
      "* STATUS {3}\r\na b (MESSAGES {1}\r\n7)\r\n* LIST ({5}\r\n\\Sent) {1}\r\n/ {1}\r\nx\r\n"
      "* ID ({4}\r\nname {2}\r\n\r\n)\r\n* FLAGS ({3}\r\n) ()\r\n");
  CHECK(as<StatusData>(got[0]).name == "a b");
  CHECK(as<StatusData>(got[0]).messages == 7u);
  CHECK(as<ListData>(got[1]).special_use() == "\\Sent");
  CHECK(as<ListData>(got[1]).delimiter == '/');
  CHECK(as<IdData>(got[2]).fields[0].second == "\r\n");
  CHECK(as<FlagsData>(got[3]).flags[0] == ") (");
}

TEST_CASE("A literal in a tagged or human line is text, so what follows is a line of its own") {
  const auto got = collect("A1 OK {100}\r\n* 1 EXISTS\r\n", 1);
  CHECK(got.size() == 2);
}

TEST_CASE("Memory stays within the limits, whatever is announced") {
  // Each of these would hold gigabytes if it were believed.
  for (const std::string start :
       {"* 1 FETCH (ENVELOPE {4294967296}\r\n", "* LIST () {99999999999}\r\n",
        "* 1 FETCH (BODY[HEADER.FIELDS {1048577}\r\n"}) {
    INFO(start);
    CHECK_THROWS_AS(collect(start, 1), ProtocolError);
  }
  const std::string megabyte(std::size_t{1} << 20, '(');
  Collector collector;
  collector.feed(megabyte);
  CHECK_THROWS_AS(collector.feed("("), ProtocolError);
}

TEST_CASE("A body of a gigabyte and a half streams through") {
  const std::string head = "* 1 FETCH (UID 1 BODY[] {1610612736}\r\n";
  const std::string piece(std::size_t{1} << 20, 'x');
  Framer framer;
  framer.feed(head);
  REQUIRE(std::holds_alternative<LiteralBegin>(framer.next()));
  std::uint64_t got = 0;
  while (framer.literal_remaining() > 0) {
    if (std::holds_alternative<NeedMore>(framer.next())) {
      framer.feed(piece);
      const FrameEvent event = framer.next();
      got += std::get<LiteralChunk>(event).bytes.size();
    }
  }
  CHECK(got == 1610612736);
  CHECK(std::holds_alternative<LiteralEnd>(framer.next()));
}

TEST_CASE("Every seed of the corpus is read the same however it is cut") {
  namespace fs = std::filesystem;
  std::size_t seeds = 0;
  for (const auto& entry : fs::directory_iterator(POSTFERRY_TESTS_DIR "/corpus/imap/response")) {
    INFO(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    // The first byte chooses the fuzzer's limits.
    const std::string bytes(std::next(std::istreambuf_iterator<char>(file)), {});
    ++seeds;
    try {
      for (const Collected& one : COLLECT_SPLIT(bytes)) parse_response(one.frame());
    } catch (const ProtocolError& error) {
      CHECK_FALSE(error.excerpt.empty());
    }
  }
  CHECK(seeds > 10);
}
