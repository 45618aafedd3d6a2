// The message that comes out is the message that went in, however it is cut on the way.
#include "connectors/pop3/codec/dot_stuffing.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using postferry::pop3::DotDecoder;

namespace {

struct Decoded {
  std::string text;
  std::string rest;
  bool done = false;
  bool strict = false;
};

Decoded decode(const std::vector<std::string_view>& pieces) {
  DotDecoder decoder;
  Decoded result;
  for (const std::string_view piece : pieces) {
    // A copy of exactly that size, so that reading past its end is seen by the sanitizer.
    const std::vector<char> bytes(piece.begin(), piece.end());
    const std::size_t used =
        decoder.feed(std::string_view(bytes.data(), bytes.size()), result.text);
    result.rest += piece.substr(used);
  }
  CHECK(decoder.size_bytes() == result.text.size());
  result.done = decoder.done();
  result.strict = result.done && decoder.strict_end();
  return result;
}

/// Decodes in one piece, split in two at every byte, and byte by byte: all must agree.
Decoded decode_every_way(std::string_view wire) {
  const Decoded whole = decode({wire});
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < wire.size(); ++i) bytes.push_back(wire.substr(i, 1));
  std::vector<Decoded> others = {decode(bytes)};
  for (std::size_t split = 0; split <= wire.size(); ++split) {
    others.push_back(decode({wire.substr(0, split), wire.substr(split)}));
  }
  for (const Decoded& other : others) {
    CHECK(other.text == whole.text);
    CHECK(other.rest == whole.rest);
    CHECK(other.done == whole.done);
    CHECK(other.strict == whole.strict);
  }
  return whole;
}

/// RFC 1939 3, as a server does it whose lines end in LF or CRLF.
std::string stuffed(std::string_view message) {
  std::string wire;
  bool at_start = true;
  for (const char c : message) {
    if (at_start && c == '.') wire += '.';
    wire += c;
    at_start = c == '\n';
  }
  return wire + ".\r\n";
}

}  // namespace

TEST_CASE("a message comes out as it is") {
  const auto decoded = decode_every_way("Subject: x\r\n\r\nhello.\r\n...\r\n..x\r\n.\r\n+OK");
  CHECK(decoded.text == "Subject: x\r\n\r\nhello.\r\n..\r\n.x\r\n");
  CHECK(decoded.rest == "+OK");
  CHECK(decoded.done);
  CHECK(decoded.strict);
}

TEST_CASE("an empty message is only the end") {
  const auto decoded = decode_every_way(".\r\n");
  CHECK(decoded.text.empty());
  CHECK(decoded.strict);
}

TEST_CASE("a line of one stuffed dot is not the end") {
  CHECK(decode_every_way("a\r\n..\r\nb\r\n.\r\n").text == "a\r\n.\r\nb\r\n");
  CHECK(decode_every_way("..\r\n.\r\n").text == ".\r\n");
}

TEST_CASE("a dot that the server forgot to stuff is kept") {
  CHECK(decode_every_way("a\r\n.b\r\n.\rc\r\n.\r\n").text == "a\r\n.b\r\n.\rc\r\n");
  CHECK(decode_every_way(".\r\r\n.\r\n").text == ".\r\r\n");
}

TEST_CASE("line ends stay as they were sent") {
  const auto decoded = decode_every_way("a\nb\r\n\r\rc\n\n..d\n.\r\n");
  CHECK(decoded.text == "a\nb\r\n\r\rc\n\n.d\n");
  CHECK(decoded.done);
  CHECK_FALSE(decoded.strict);
}

TEST_CASE("a dot and a bare LF end a reply too, and are told apart") {
  const auto decoded = decode_every_way("a\r\n.\n+OK");
  CHECK(decoded.text == "a\r\n");
  CHECK(decoded.rest == "+OK");
  CHECK_FALSE(decoded.strict);
  CHECK(decode_every_way("a\n.\n").done);
}

TEST_CASE("a dot glued to the last line does not end a reply, but can be seen") {
  DotDecoder decoder;
  std::string text;
  decoder.feed("Subject: x\r\n\r\nlast words.\r\n", text);
  CHECK_FALSE(decoder.done());
  CHECK(decoder.ends_in_glued_dot());
  decoder.feed("more", text);
  CHECK_FALSE(decoder.ends_in_glued_dot());
  decoder.feed("\r\n", text);
  CHECK_FALSE(decoder.ends_in_glued_dot());
  decoder.feed("..\r\n", text);
  CHECK_FALSE(decoder.ends_in_glued_dot());
}

TEST_CASE("a reply that is cut is not done") {
  CHECK_FALSE(decode_every_way("a\r\n").done);
  CHECK_FALSE(decode_every_way("a\r\n.").done);
  CHECK_FALSE(decode_every_way("a\r\n.\r").done);
  CHECK_FALSE(decode_every_way("").done);
}

TEST_CASE("what was stuffed comes out again, for random messages made of trouble") {
  std::mt19937 random(20260101);
  const std::vector<std::string> parts = {
      ".", "..", "\r\n", "\n", "\r", "a", "\r\n.", "\r\n.\r", "line of text\r\n"};
  for (int round = 0; round < 2000; ++round) {
    std::string message;
    const std::size_t count = random() % 20;
    for (std::size_t i = 0; i < count; ++i) message += parts[random() % parts.size()];
    // RFC 1939 has no way to say a message that does not end a line.
    if (!message.empty() && !message.ends_with('\n')) message += "\r\n";
    const std::string wire = stuffed(message) + "rest";
    const std::size_t first = random() % (wire.size() + 1);
    const std::size_t second = first + random() % (wire.size() - first + 1);
    const std::string_view view = wire;
    const auto decoded =
        decode({view.substr(0, first), view.substr(first, second - first), view.substr(second)});
    REQUIRE(decoded.done);
    REQUIRE(decoded.text == message);
    REQUIRE(decoded.rest == "rest");
  }
}
