// FETCH: what a catalogue and a body need of it, and all the shapes that must be skipped.
#include <catch2/catch.hpp>

#include "tests/imap/split.h"

using namespace postferry::imap;
using namespace postferry::imap::testing;
using namespace std::string_literals;

namespace {

using Strings = std::vector<std::string>;
using Form = FetchSection::Form;

Limits stream_all() {
  Limits limits;
  limits.inline_body_bytes = 0;
  return limits;
}

FetchData fetch(const std::string& line, const Limits& limits = {}) {
  INFO(line);
  const auto got = COLLECT_SPLIT_LIMITED(line + "\r\n", limits);
  REQUIRE(got.size() == 1);
  const Response response = parse_response(got[0].frame(), limits);
  REQUIRE(std::holds_alternative<FetchData>(response));
  return std::get<FetchData>(response);
}

}  // namespace

TEST_CASE("A catalogue line gives UID, flags, size and date") {
  const auto got = fetch(
      "* 12 FETCH (UID 4294967295 FLAGS (\\Seen $Forwarded) RFC822.SIZE 1610612736 "
      "INTERNALDATE \" 7-Nov-2016 10:11:12 +0100\" MODSEQ (18446744073709551615))");
  CHECK(got.seq == 12);
  CHECK(got.uid == 4294967295u);
  CHECK(got.flags == Strings{"\\Seen", "$Forwarded"});
  CHECK(got.rfc822_size == 1610612736u);
  CHECK(got.internal_date == DateTime{1478509872, 60});
  CHECK(got.modseq == 18446744073709551615u);
  CHECK(got.sections.empty());
}

TEST_CASE("No flags is not the same as flags that were not sent") {
  CHECK(fetch("* 1 FETCH (FLAGS ())").flags == Strings{});
  CHECK_FALSE(fetch("* 1 FETCH (UID 1)").flags);
}

TEST_CASE("Items come in any order, case and spacing") {
  const auto got = fetch("* 1  fetch  ( flags  ( \\Seen  )  uid  7 )  ");
  CHECK(got.uid == 7u);
  CHECK(got.flags == Strings{"\\Seen"});
  CHECK(fetch("* 1 FETCH ()").uid == std::nullopt);
}

TEST_CASE("A malformed date or size is absent and does no harm") {
  const auto got =
      fetch("* 1 FETCH (INTERNALDATE \"00-Jan-0000 00:00:00 +0000\" RFC822.SIZE -1 UID 3)");
  CHECK_FALSE(got.internal_date);
  CHECK_FALSE(got.rfc822_size);
  CHECK(got.uid == 3u);
  CHECK_FALSE(fetch("* 1 FETCH (INTERNALDATE NIL RFC822.SIZE NIL)").internal_date);
}

TEST_CASE("A body is a literal, a string or NIL") {
  const auto section = [](const std::string& line) {
    const auto got = fetch(line);
    REQUIRE(got.sections.size() == 1);
    return got.sections[0];
  };
  const auto literal = section("* 1 FETCH (BODY[] {5}\r\nhe\0\r\n)"s);
  CHECK(literal.item == "BODY");
  CHECK(literal.name.empty());
  CHECK(literal.form == Form::kLiteral);
  CHECK(literal.bytes == "he\0\r\n"s);
  CHECK(literal.size == 5);
  const auto empty = section("* 1 FETCH (BODY[] \"\")");
  CHECK(empty.form == Form::kString);
  CHECK(empty.bytes.empty());
  CHECK(section("* 1 FETCH (BODY[] NIL)").form == Form::kNil);
  CHECK(section("* 1 FETCH (BODY[] \"NIL\")").form == Form::kString);
  CHECK(section("* 1 FETCH (BODY[] \"a\\\"b\")").bytes == "a\"b");
  CHECK(section("* 1 FETCH (BODY[] {0}\r\n)").form == Form::kLiteral);
  CHECK(section("* 1 FETCH (BODY[]{2}\r\nxy)").bytes == "xy");
}

TEST_CASE("Sections are named in upper case, whatever their item") {
  const auto got = fetch(
      "* 1 FETCH (BODY[Header.Fields (Message-ID \"a]b\")] {1}\r\nx BODY[1.MIME]<10> \"y\" "
      "BINARY[2] ~{1}\r\nz "
      "RFC822.HEADER \"h\" RFC822.TEXT \"t\" RFC822 \"m\" BODY[]<0.5> \"p\" BODY[HEADER.FIELDS "
      "({2}\r\n]])] NIL)");
  REQUIRE(got.sections.size() == 8);
  CHECK(got.sections[0].name == "HEADER.FIELDS (MESSAGE-ID \"A]B\")");
  CHECK(got.sections[1].name == "1.MIME");
  CHECK(got.sections[1].origin == 10u);
  CHECK(got.sections[2].item == "BINARY");
  CHECK(got.sections[2].bytes == "z");
  CHECK(got.sections[3].name == "HEADER");
  CHECK(got.sections[4].name == "TEXT");
  CHECK(got.sections[5].item == "RFC822");
  CHECK(got.sections[5].name.empty());
  CHECK(got.sections[6].origin == 0u);
  CHECK(got.sections[7].form == Form::kNil);
}

TEST_CASE("A streamed body is known by its size") {
  const auto got =
      fetch("* 12 FETCH (BODY[HEADER] {3}\r\nabc BODY[TEXT] {2}\r\n() UID 7)", stream_all());
  REQUIRE(got.sections.size() == 2);
  CHECK(got.sections[0].form == Form::kStreamed);
  CHECK(got.sections[0].size == 3);
  CHECK(got.sections[0].bytes.empty());
  CHECK(got.sections[1].size == 2);
  CHECK(got.uid == 7u);
}

TEST_CASE("The head of a streamed FETCH tells whose body comes") {
  const std::string bytes =
      "* 12 FETCH (UID 7 FLAGS (\\Seen) BODY[HEADER] {3}\r\nabc BODY[TEXT] {2}\r\nxy)\r\n";
  Framer framer(stream_all());
  framer.feed(bytes);
  std::vector<FetchData> heads;
  for (;;) {
    const FrameEvent event = framer.next();
    if (const auto* begin = std::get_if<LiteralBegin>(&event)) {
      heads.push_back(parse_fetch_head(begin->head));
    }
    if (std::holds_alternative<NeedMore>(event)) break;
  }
  REQUIRE(heads.size() == 2);
  CHECK(heads[0].seq == 12);
  CHECK(heads[0].uid == 7u);
  CHECK(heads[0].flags == Strings{"\\Seen"});
  REQUIRE(heads[0].sections.size() == 1);
  CHECK(heads[0].sections[0].name == "HEADER");
  CHECK(heads[0].sections[0].form == Form::kStreamed);
  CHECK(heads[0].sections[0].size == 3);
  REQUIRE(heads[1].sections.size() == 2);
  CHECK(heads[1].sections[1].name == "TEXT");
}

TEST_CASE("The head of a UIDFETCH has its UID first") {
  const std::string text = "* 9 UIDFETCH (BODY[] {5}\r\n";
  const std::vector<std::size_t> streamed{text.size()};
  const auto head = parse_fetch_head({text, streamed});
  CHECK(head.uid == 9u);
  CHECK(head.seq == 0);
}

TEST_CASE("A head that is none is refused") {
  const std::string text = "* 9 FETCH (UID 1)";
  CHECK_THROWS_AS(parse_fetch_head({text, {}}), ProtocolError);
}

TEST_CASE("A literal that only looks like a body in a confused response is refused") {
  const std::string text = "* 9 FETCH (BODY[] {5}\r\n X \" BODY[\" y] {9}\r\n";
  const std::vector<std::size_t> streamed{23, text.size()};
  CHECK_THROWS_AS(parse_fetch_head({text, streamed}), ProtocolError);
}

TEST_CASE("Bytes before a literal are not taken for the name of its section") {
  const auto got = collect("* 1 FETCH (BINARY[1] {2}\r\nab_1] {3}\r\nxyz)\r\n", 999, stream_all());
  REQUIRE(got.size() == 1);
  CHECK(got[0].bodies == Strings{"ab"});
}

TEST_CASE("UIDFETCH names its message by UID") {
  const auto got = fetch("* 25 UIDFETCH (FLAGS (\\Seen))");
  CHECK(got.seq == 0);
  CHECK(got.uid == 25u);
}

TEST_CASE("Gmail's and OBJECTID's items are read") {
  const auto got = fetch(
      "* 1 FETCH (X-GM-THRID 12 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\"\\\\Inbox\" "
      "\"\\\\Sent\" Important [Imap]/Drafts \"Muy Importante\" caf\xc3\xa9 &AOk-,x ^x) EMAILID "
      "(M6d99ac32))");
  CHECK(got.gm_msgid == 1278455344230334865u);
  CHECK(got.gm_labels == Strings{"\\Inbox", "\\Sent", "Important", "[Imap]/Drafts",
                                 "Muy Importante", "caf\xc3\xa9", "&AOk-,x", "^x"});
  CHECK(got.email_id == "M6d99ac32");
}

TEST_CASE("Unknown items are skipped whatever their shape") {
  for (const std::string item :
       {"X-FOO bar", "X-FOO 12", "X-FOO NIL", "X-FOO \"a ) b\"", "X-FOO ()",
        "X-FOO (a (b \"c)\" ({3}\r\n)))) d))", "X-FOO {4}\r\n) (\"", "X-FOO ~{1}\r\n)",
        "X-FOO[a (b)] c", "BINARY.SIZE[1.2] 17", "PREVIEW \"hi\\\"\"", "X-FOO[]<5> (a)",
        "BODYSTRUCTURE (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 2 1 NIL "
        "NIL)",
        "BODY ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)(\"a\" \"b\") \"mixed\")",
        "ENVELOPE (NIL {5}\r\na\"\r\n) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL NIL NIL)"}) {
    CHECK(fetch("* 1 FETCH (FLAGS () " + item + " UID 8)").uid == 8u);
    CHECK(fetch("* 1 FETCH (" + item + ")").uid == std::nullopt);
    CHECK(fetch("* 1 FETCH (FLAGS () " + item + " UID 8)", stream_all()).uid == 8u);
  }
}

TEST_CASE("A malformed FETCH is an error, since mail would be overlooked") {
  for (const auto* line :
       {"* 1 FETCH", "* 1 FETCH UID 3", "* 1 FETCH (UID)", "* 1 FETCH (UID x)", "* 1 FETCH (UID 1",
        "* 1 FETCH (UID 1))", "* 1 FETCH (UID 1) x", "* 1 FETCH (FLAGS (a)", "* 1 FETCH (FLAGS a)",
        "* 1 FETCH (BODY[] )", "* 1 FETCH (BODY[ NIL)", "* 1 FETCH (BODY[] \"abc)",
        "* 1 FETCH (UID 4294967296)", "* 1 FETCH (MODSEQ (x))", "* 1 FETCH (\"a\" b)",
        "* 1 FETCH (BODY[]<x> NIL)", "* 1 FETCH (X (()", "* 1 FETCH (X ))",
        "* 1 FETCH (BODY[] (a))"}) {
    INFO(line);
    const auto got = collect(std::string(line) + "\r\n", 999);
    REQUIRE(got.size() == 1);
    CHECK_THROWS_AS(parse_response(got[0].frame()), ProtocolError);
  }
}

TEST_CASE("A body longer than announced is found out") {
  const auto got = collect("* 1 FETCH (BODY[] {3}\r\nabcdef)\r\n", 999);
  REQUIRE(got.size() == 1);
  CHECK_THROWS_AS(parse_response(got[0].frame()), ProtocolError);
}

TEST_CASE("A frame whose literal is cut short is refused, not read beyond") {
  const std::string text = "* 1 FETCH (BODY[] {30}\r\nabc";
  CHECK_THROWS_AS(parse_response({text, {}}), ProtocolError);
}

TEST_CASE("Nesting is limited, and a megabyte of parentheses costs no stack") {
  const auto nested = [](std::size_t depth) {
    return "* 1 FETCH (X " + std::string(depth, '(') + std::string(depth, ')') + ")";
  };
  CHECK_NOTHROW(parse_response({nested(64), {}}));
  CHECK_THROWS_AS(parse_response({nested(65), {}}), ProtocolError);
  CHECK_THROWS_AS(parse_response({"* 1 FETCH " + std::string(1000000, '('), {}}), ProtocolError);
}

TEST_CASE("A list that is kept has a limit, one that is skipped has none") {
  Limits limits;
  limits.list_elements = 3;
  CHECK_NOTHROW(parse_response({"* 1 FETCH (FLAGS (a b c))", {}}, limits));
  CHECK_THROWS_AS(parse_response({"* 1 FETCH (FLAGS (a b c d))", {}}, limits), ProtocolError);
  CHECK_NOTHROW(parse_response({"* 1 FETCH (X (a b c d))", {}}, limits));
}
