// Excerpts must show the place, and be fit for a terminal.
#include <catch2/catch.hpp>

#include "connectors/imap/codec/error.h"

using namespace postferry::imap;
using namespace std::string_literals;

TEST_CASE("An excerpt is printable and at most 80 characters") {
  CHECK(printable_excerpt("* OK hi") == "* OK hi");
  CHECK(printable_excerpt("a\r\n\t\\\0\x1b\xff"s) == "a\\r\\n\\t\\\\\\x00\\x1b\\xff");
  CHECK(printable_excerpt("").empty());
  for (const std::size_t at : {0u, 10u, 500u, 990u, 1000u, 5000u}) {
    for (const char fill : {'x', '\0', '\n'}) {
      const std::string excerpt = printable_excerpt(std::string(1000, fill), at);
      CHECK(excerpt.size() <= 80);
      CHECK(excerpt.size() > 30);
    }
  }
}

TEST_CASE("An excerpt shows what surrounds the place") {
  const std::string text = std::string(500, 'a') + "HERE" + std::string(500, 'b');
  const std::string excerpt = printable_excerpt(text, 500);
  CHECK(excerpt.starts_with("...aaa"));
  CHECK(excerpt.find("HERE") != std::string::npos);
  CHECK(excerpt.ends_with("bbb..."));
}

TEST_CASE("A protocol error says what, where and in which words") {
  const ProtocolError error("expected a word", "* 1 FETCH )", 10);
  CHECK(error.offset == 10);
  CHECK(error.excerpt == "* 1 FETCH )");
  CHECK(error.what() == "expected a word at byte 10: * 1 FETCH )"s);
}
