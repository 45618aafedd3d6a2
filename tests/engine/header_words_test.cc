// 8-bit text in headers becomes what readers make the same text of.
#include "engine/header_words.h"

#include <catch2/catch.hpp>

using namespace postferry;

namespace {

/// The field as it is after, in a message.
std::string field(const std::string& text) {
  const std::string body = "\r\n\r\nD\xC3\xA9j\xC3\xA0: \xFF\r\n";
  const std::string out = with_ascii_header(text + body);
  REQUIRE(out.ends_with(body));
  return out.substr(0, out.size() - body.size());
}

}  // namespace

TEST_CASE("8-bit words of a header become encoded words, and all else stays") {
  CHECK(field("Subject: A d\xC3\xA9j\xC3\xA0 vu") == "Subject: A =?utf-8?Q?d=C3=A9j=C3=A0?= vu");
  CHECK(field("Subject:\xC3\xA9") == "Subject: =?utf-8?Q?=C3=A9?=");
  CHECK(field("X: a=b \"c\"\r\n\td\r\nSubject: \xC3\xA9\r\nTo: x") ==
        "X: a=b \"c\"\r\n\td\r\nSubject: =?utf-8?Q?=C3=A9?=\r\nTo: x");
  const std::string ascii = "Subject: =?utf-8?Q?=C3=A9?= a\r\nno field\r\nTo: \"a\" <b@c>";
  CHECK(field(ascii) == ascii);
  CHECK(with_ascii_header("\r\nA: \xC3\xA9") == "\r\nA: \xC3\xA9");
  CHECK(with_ascii_header("A: \xC3\xA9") == "A: =?utf-8?Q?=C3=A9?=");
  CHECK(with_ascii_header("") == "");
}

TEST_CASE("blanks between 8-bit words are kept, which readers drop between encoded ones") {
  CHECK(field("Subject: \xC3\xA9  \xC3\xA8") == "Subject: =?utf-8?Q?=C3=A9__=C3=A8?=");
  CHECK(field("Subject: \xC3\xA9\r\n \xC3\xA8") == "Subject: =?utf-8?Q?=C3=A9_=C3=A8?=");
  CHECK(field("Subject: =?utf-8?Q?a?= \xC3\xA9 =?utf-8?Q?b?=") ==
        "Subject: =?utf-8?Q?a?= =?utf-8?Q?_=C3=A9_?= =?utf-8?Q?b?=");
}

TEST_CASE("what is not UTF-8 is called so, and keeps its bytes") {
  CHECK(field("Subject: caf\xE9") == "Subject: =?unknown-8bit?Q?caf=E9?=");
}

TEST_CASE("encoded words are short, their lines too, and no character is parted") {
  std::string text, decoded;
  for (int i = 0; i < 60; ++i) text += "\xE2\x82\xAC";
  const std::string out = field("Subject: " + text);
  for (std::size_t at = 0, end = 0; at < out.size(); at = end + 2) {
    end = std::min(out.find("\r\n", at), out.size());
    const std::string line = out.substr(at, end - at);
    CHECK(line.size() <= 76);
    const std::string inside = line.substr(line.find("?Q?") + 3);
    CHECK((inside.size() - 2) % 9 == 0);
    for (std::size_t i = 0; i + 2 < inside.size(); i += 9)
      if (inside.substr(i, 9) == "=E2=82=AC") decoded += "\xE2\x82\xAC";
  }
  CHECK(decoded == text);
  const std::string late = std::string(70, 'x');
  CHECK(field("Subject: " + late + " \xC3\xA9") == "Subject: " + late + "\r\n =?utf-8?Q?=C3=A9?=");
}

TEST_CASE("in fields of addresses only names and comments are encoded, and quotes go") {
  CHECK(field("From: \"J\xC3\xB6rg \\\"M\\\"\" <j@x>, \xC3\xA4 b <a@x>") ==
        "From: =?utf-8?Q?J=C3=B6rg_=22M=22?= <j@x>, =?utf-8?Q?=C3=A4?= b <a@x>");
  CHECK(field("Cc: j@x (\xC3\xB6),\"\xC3\xB6\"<k@x>") ==
        "Cc: j@x (=?utf-8?Q?=C3=B6?=), =?utf-8?Q?=C3=B6?= <k@x>");
  for (const char* const address : {"To: j\xC3\xB6@x", "Resent-To: <j\xC3\xB6@x>",
                                    "Sender: \"j\xC3\xB6\"@x", "Message-ID: <\xC3\xB6@x>"})
    CHECK(field(address) == address);
}

TEST_CASE("8-bit parameters of MIME fields become extended ones") {
  CHECK(field("Content-Disposition: attachment; filename=\"a \xC3\xA9.txt\"; size=3") ==
        "Content-Disposition: attachment; filename*=utf-8''a%20%C3%A9.txt; size=3");
  CHECK(field("Content-Type: text/plain;\r\n name=\xE9.txt") ==
        "Content-Type: text/plain;\r\n name*=unknown-8bit''%E9.txt");
  for (const char* const odd :
       {"Content-Type: t\xC3\xA9xt/plain", "Content-Type: a; n*=\xC3\xA9", "S\xC3\xBC: \xC3\xA9"})
    CHECK(field(odd) == odd);
}

TEST_CASE("a parameter's value is no name of another, whatever stands behind it") {
  const std::string once = field("Content-Type: a/b; x=\xC3\xA9=\xC3\xA8");
  CHECK(once == "Content-Type: a/b; x*=utf-8''%C3%A9=\xC3\xA8");
  CHECK(field(once) == once);
}
