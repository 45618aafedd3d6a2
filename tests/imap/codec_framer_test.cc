// The framer: lines, literals inlined and streamed, limits, and places to stop.
#include <catch2/catch.hpp>

#include "tests/imap/split.h"

using namespace postferry::imap;
using namespace std::string_literals;
using namespace postferry::imap::testing;

namespace {

Limits stream_all() {
  Limits limits;
  limits.inline_body_bytes = 0;
  return limits;
}

}  // namespace

TEST_CASE("A line is a response without its line end") {
  const auto got = COLLECT_SPLIT("* OK ready\r\nA1 OK done\r\n+ go on\r\n");
  REQUIRE(got.size() == 3);
  CHECK(got[0].text == "* OK ready");
  CHECK(got[1].text == "A1 OK done");
  CHECK(got[2].text == "+ go on");
}

TEST_CASE("A line may end in a bare LF, and be empty") {
  const auto got = COLLECT_SPLIT("* 3 EXISTS\n\r\n\nA1 OK\n");
  REQUIRE(got.size() == 4);
  CHECK(got[0].text == "* 3 EXISTS");
  CHECK(got[1].text.empty());
  CHECK(got[2].text.empty());
  CHECK(got[3].text == "A1 OK");
}

TEST_CASE("A CR that is not before LF belongs to the line") {
  const auto got = COLLECT_SPLIT("* OK a\rb\r\r\n");
  REQUIRE(got.size() == 1);
  CHECK(got[0].text == "* OK a\rb\r");
}

TEST_CASE("A whole response in the fed bytes is not copied") {
  const std::string bytes = "* LIST () \"/\" {3}\r\nabc\r\n";
  Framer framer;
  framer.feed(bytes);
  const FrameEvent event = framer.next();
  const auto* frame = std::get_if<Frame>(&event);
  REQUIRE(frame != nullptr);
  CHECK(frame->text.data() == bytes.data());
  CHECK(std::holds_alternative<NeedMore>(framer.next()));
}

TEST_CASE("A literal stays in its response in wire form") {
  const auto got = COLLECT_SPLIT("* LIST () \"/\" {7}\r\na\r\nb\0cd\r\n* 1 EXISTS\r\n"s);
  REQUIRE(got.size() == 2);
  CHECK(got[0].text == "* LIST () \"/\" {7}\r\na\r\nb\0cd"s);
  CHECK(got[1].text == "* 1 EXISTS");
}

TEST_CASE("A literal that ends in CR keeps it before a bare LF") {
  const auto got = COLLECT_SPLIT("* LIST () \"/\" {3}\r\nab\r\n");
  REQUIRE(got.size() == 1);
  CHECK(got[0].text == "* LIST () \"/\" {3}\r\nab\r");
}

TEST_CASE("Literal headers in all forms are understood") {
  for (const std::string header : {"{2}\r\n", "{2+}\r\n", "~{2}\r\n", "~{2+}\r\n", "{002}\n"}) {
    const auto got = COLLECT_SPLIT("* 1 FETCH (BODY[] " + header + "xy)\r\n");
    REQUIRE(got.size() == 1);
    CHECK(got[0].text == "* 1 FETCH (BODY[] " + header + "xy)");
  }
}

TEST_CASE("Text for people may end like a literal header") {
  const auto got =
      COLLECT_SPLIT("* OK see {5}\r\nA1 NO {99999999999999999999}\r\n+ {3}\r\n* bye {}\r\n");
  REQUIRE(got.size() == 4);
  CHECK(got[1].text == "A1 NO {99999999999999999999}");
}

TEST_CASE("A brace inside a name is no literal") {
  const auto got = COLLECT_SPLIT("* LIST () \"/\" notes{1}\r\n* LIST () \"/\" {x}\r\n");
  REQUIRE(got.size() == 2);
  CHECK(got[0].text == "* LIST () \"/\" notes{1}");
}

TEST_CASE("A body is streamed out of its FETCH") {
  const auto got = COLLECT_SPLIT_LIMITED(
      "* 12 FETCH (UID 7 BODY[] {5}\r\nhello FLAGS (\\Seen))\r\nA1 OK\r\n", stream_all());
  REQUIRE(got.size() == 2);
  CHECK(got[0].text == "* 12 FETCH (UID 7 BODY[] {5}\r\n FLAGS (\\Seen))");
  CHECK(got[0].heads == std::vector<std::string>{"* 12 FETCH (UID 7 BODY[] {5}\r\n"});
  CHECK(got[0].bodies == std::vector<std::string>{"hello"});
  CHECK(got[0].streamed == std::vector<std::size_t>{30});
  CHECK(got[1].streamed.empty());
}

TEST_CASE("Only literals of body sections are streamed") {
  for (const std::string item :
       {"BODY[]", "body[header]", "BODY[HEADER.FIELDS (DATE \"x\")]", "BODY[1.2]<0>", "BINARY[1]",
        "RFC822", "RFC822.HEADER", "RFC822.TEXT", "BODY.PEEK[]", "BODY[] "}) {
    INFO(item);
    const auto got = COLLECT_SPLIT_LIMITED("* 1 FETCH (" + item + " {2}\r\nxy)\r\n", stream_all());
    REQUIRE(got.size() == 1);
    CHECK(got[0].bodies == std::vector<std::string>{"xy"});
  }
  for (const std::string response :
       {"* 1 FETCH (ENVELOPE ({2}\r\nxy))\r\n", "* 1 FETCH (X-GM-LABELS ({2}\r\nxy))\r\n",
        "* 1 FETCH (BODY[HEADER.FIELDS ({2}\r\nxy)] NIL)\r\n", "* LIST () \"/\" {2}\r\nxy\r\n",
        "* STATUS {2}\r\nxy (MESSAGES 1)\r\n", "* 1 FOO (BODY[] {2}\r\nxy)\r\n"}) {
    INFO(response);
    const auto got = COLLECT_SPLIT_LIMITED(response, stream_all());
    REQUIRE(got.size() == 1);
    CHECK(got[0].bodies.empty());
  }
}

TEST_CASE("A UIDFETCH streams as well") {
  const auto got = COLLECT_SPLIT_LIMITED("* 9 UIDFETCH (BODY[] {2}\r\nxy)\r\n", stream_all());
  REQUIRE(got.size() == 1);
  CHECK(got[0].bodies == std::vector<std::string>{"xy"});
}

TEST_CASE("An empty body stays in its response, where it is an empty literal") {
  const auto got = COLLECT_SPLIT_LIMITED("* 1 FETCH (BODY[] {0}\r\n)\r\n", stream_all());
  REQUIRE(got.size() == 1);
  CHECK(got[0].bodies.empty());
  CHECK(got[0].text == "* 1 FETCH (BODY[] {0}\r\n)");
}

TEST_CASE("Several sections of one FETCH stream one after the other") {
  const auto got = COLLECT_SPLIT_LIMITED(
      "* 1 FETCH (BODY[HEADER] {4}\r\nA:b\n ENVELOPE ({3}\r\nx{1) BODY[TEXT] {6}\r\n{3}\r\n) UID "
      "3)\r\n",
      stream_all());
  REQUIRE(got.size() == 1);
  CHECK(got[0].bodies == std::vector<std::string>{"A:b\n", "{3}\r\n)"});
  CHECK(got[0].heads[1] ==
        "* 1 FETCH (BODY[HEADER] {4}\r\n ENVELOPE ({3}\r\nx{1) BODY[TEXT] {6}\r\n");
}

TEST_CASE("A body is streamed from one byte above the inline threshold") {
  Limits limits;
  limits.inline_body_bytes = 4;
  CHECK(collect("* 1 FETCH (BODY[] {4}\r\nabcd)\r\n", 99, limits)[0].bodies.empty());
  CHECK(collect("* 1 FETCH (BODY[] {5}\r\nabcde)\r\n", 99, limits)[0].bodies.size() == 1);
}

TEST_CASE("Chunks are views into the fed bytes") {
  const std::string bytes = "* 1 FETCH (BODY[] {5}\r\nhello)\r\n";
  Framer framer(stream_all());
  framer.feed(bytes);
  const FrameEvent begin = framer.next();
  REQUIRE(std::holds_alternative<LiteralBegin>(begin));
  CHECK(std::get<LiteralBegin>(begin).size == 5);
  CHECK(framer.literal_remaining() == 5);
  const FrameEvent chunk = framer.next();
  REQUIRE(std::holds_alternative<LiteralChunk>(chunk));
  CHECK(std::get<LiteralChunk>(chunk).bytes.data() == bytes.data() + bytes.find("hello"));
  CHECK(framer.literal_remaining() == 0);
  CHECK(std::holds_alternative<LiteralEnd>(framer.next()));
  CHECK(std::holds_alternative<Frame>(framer.next()));
}

TEST_CASE("A literal of a terabyte is only a number until its bytes come") {
  Limits limits;
  limits.streamed_literal_bytes = std::uint64_t{1} << 40;
  const std::string head = "* 1 FETCH (BODY[] {1099511627776}\r\n";
  Framer framer(limits);
  framer.feed(head);
  REQUIRE(std::holds_alternative<LiteralBegin>(framer.next()));
  CHECK(std::holds_alternative<NeedMore>(framer.next()));
  framer.literal_bytes_read((std::uint64_t{1} << 40) - 1);
  CHECK(framer.literal_remaining() == 1);
  const std::string tail = "x)\r\n";
  framer.feed(tail);
  REQUIRE(std::holds_alternative<LiteralChunk>(framer.next()));
  REQUIRE(std::holds_alternative<LiteralEnd>(framer.next()));
  const FrameEvent end = framer.next();
  REQUIRE(std::holds_alternative<Frame>(end));
  CHECK(std::get<Frame>(end).text == head + ")");
}

TEST_CASE("Bytes read past the framer are only accepted inside a literal") {
  Framer framer(stream_all());
  CHECK_THROWS_AS(framer.literal_bytes_read(0), std::logic_error);
  const std::string head = "* 1 FETCH (BODY[] {5}\r\n";
  framer.feed(head);
  framer.next();
  CHECK_THROWS_AS(framer.literal_bytes_read(6), std::logic_error);
  framer.literal_bytes_read(5);
  CHECK(std::holds_alternative<LiteralEnd>(framer.next()));
}

TEST_CASE("Feeding before the bytes are used up is a mistake of the caller") {
  const std::string two = "* 1 EXISTS\r\n* 2 EXISTS\r\n";
  Framer framer;
  framer.feed(two);
  framer.next();
  CHECK_THROWS_AS(framer.feed(two), std::logic_error);
}

TEST_CASE("What follows a response can be taken away, for compression") {
  const std::string bytes = "A1 OK DEFLATE active\r\n\x78\x9c";
  Framer framer;
  framer.feed(bytes);
  REQUIRE(std::holds_alternative<Frame>(framer.next()));
  CHECK_FALSE(framer.idle());
  CHECK(framer.take_rest() == "\x78\x9c");
  CHECK(framer.idle());
  CHECK(std::holds_alternative<NeedMore>(framer.next()));
}

TEST_CASE("What was sent before TLS can be forgotten") {
  const std::string bytes = "A1 OK begin TLS\r\n* OK injec";
  Framer framer;
  framer.feed(bytes);
  framer.next();
  CHECK(std::holds_alternative<NeedMore>(framer.next()));
  CHECK_FALSE(framer.idle());
  framer.discard();
  CHECK(framer.idle());
  const std::string after = "* OK clean\r\n";
  framer.feed(after);
  const FrameEvent event = framer.next();
  CHECK(std::get<Frame>(event).text == "* OK clean");
}

TEST_CASE("The framer is idle only between responses") {
  Collector collector(stream_all());
  CHECK(collector.framer().idle());
  for (const std::string part : {"* 1 FET", "CH (BODY[] {3}\r\n", "ab", "c", ")"}) {
    collector.feed(part);
    CHECK_FALSE(collector.framer().idle());
  }
  collector.feed("\r\n");
  CHECK(collector.framer().idle());
}

TEST_CASE("A line without end is refused at its limit") {
  Limits limits;
  limits.line_bytes = 1000;
  Collector collector(limits);
  const std::string kilo(100, 'x');
  for (int i = 0; i < 10; ++i) collector.feed(kilo);
  CHECK_THROWS_AS(collector.feed("x"), ProtocolError);
}

TEST_CASE("A list of numbers may be longer than other lines") {
  Limits limits;
  limits.line_bytes = 20;
  limits.number_line_bytes = 200;
  for (const std::string start : {"* SEARCH", "* ESEARCH ALL", "* VANISHED", "* sort"}) {
    std::string line = start;
    while (line.size() < 190) line += " 12345";
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, line.size() + 2}) {
      CHECK(collect(line + "\r\n", piece, limits).size() == 1);
      CHECK_THROWS_AS(collect(line + line + "\r\n", piece, limits), ProtocolError);
    }
  }
}

TEST_CASE("The text between literals counts as one line") {
  Limits limits;
  limits.line_bytes = 60;
  std::string response = "* LIST () \"/\"";
  for (int i = 0; i < 10; ++i) response += " {3}\r\nabc";
  CHECK_THROWS_AS(collect(response + "\r\n", 1, limits), ProtocolError);
  CHECK_THROWS_AS(collect(response + "\r\n", 999, limits), ProtocolError);
}

TEST_CASE("Literals above a limit are refused at their header") {
  CHECK_THROWS_AS(collect("* LIST () \"/\" {1048577}\r\n", 99), ProtocolError);
  CHECK_THROWS_AS(collect("* 1 FETCH (BODY[] {99999999999}\r\n", 99), ProtocolError);
  CHECK_THROWS_AS(collect("* 1 FETCH (ENVELOPE {99999999999}\r\n", 99), ProtocolError);
  CHECK_THROWS_AS(collect("* 1 FETCH (BODY[] {99999999999999999999}\r\n", 99), ProtocolError);
  CHECK_THROWS_AS(collect("* LIST () \"/\" {18446744073709551615}\r\n", 99), ProtocolError);
}

TEST_CASE("All inlined literals of a response together have a limit") {
  Limits limits;
  limits.inline_total_bytes = 10;
  CHECK_NOTHROW(collect("* LIST () {5}\r\nabcde {5}\r\nabcde\r\n", 99, limits));
  CHECK_THROWS_AS(collect("* LIST () {5}\r\nabcde {6}\r\nabcdef\r\n", 99, limits), ProtocolError);
}

TEST_CASE("The number of literals in a response has a limit") {
  Limits limits;
  limits.literals = 3;
  const std::string three = "* 1 FETCH (X ({0}\r\n {0}\r\n {0}\r\n";
  CHECK_NOTHROW(collect(three + "))\r\n", 99, limits));
  CHECK_THROWS_AS(collect(three + " {0}\r\n))\r\n", 99, limits), ProtocolError);
}

TEST_CASE("A literal without its size is refused, with the place") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{999}}) {
    try {
      collect("* 1 FETCH (BODY[] {}\r\nhello)\r\n", piece);
      FAIL("not refused");
    } catch (const ProtocolError& error) {
      CHECK(error.offset == 22);
      CHECK(error.excerpt == "* 1 FETCH (BODY[] {}\\r\\n");
    }
  }
}

TEST_CASE("A thousand responses in one buffer come one by one") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += "* " + std::to_string(i) + " EXISTS\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{17}, bytes.size()}) {
    const auto got = collect(bytes, piece);
    REQUIRE(got.size() == 1000);
    CHECK(got[999].text == "* 999 EXISTS");
  }
}
