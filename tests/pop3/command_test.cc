// What we say to a POP3 server, letter by letter.
#include "connectors/pop3/codec/command.h"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace postferry::pop3;

TEST_CASE("commands are spelled as their RFCs spell them") {
  CHECK(capa().text == "CAPA");
  CHECK(stls().text == "STLS");
  CHECK(uidl().text == "UIDL");
  CHECK(list().text == "LIST");
  CHECK(quit().text == "QUIT");
  CHECK(retr(17).text == "RETR 17");
  CHECK(top(4294967295U, 0).text == "TOP 4294967295 0");
  CHECK(user("ann@example.org").text == "USER ann@example.org");
  CHECK(auth("PLAIN").text == "AUTH PLAIN");
}

TEST_CASE("what is secret is marked, and nothing else") {
  CHECK(pass("a b").text == "PASS a b");
  CHECK(pass("x").secret);
  CHECK(auth_response("eA==").secret);
  CHECK(auth_response("").text.empty());
  CHECK_FALSE(user("ann").secret);
  CHECK_FALSE(auth("LOGIN").secret);
}

TEST_CASE("an argument cannot smuggle in a second command") {
  using namespace std::string_literals;
  CHECK_THROWS_AS(user("ann\r\nDELE 1"), std::invalid_argument);
  CHECK_THROWS_AS(pass("x\n"), std::invalid_argument);
  CHECK_THROWS_AS(pass("x\0y"s), std::invalid_argument);
  CHECK_THROWS_AS(auth_response("eA==\r\nQUIT"), std::invalid_argument);
}

TEST_CASE("commands are joined each with its line end") {
  CHECK(joined({uidl(), list()}) == "UIDL\r\nLIST\r\n");
  CHECK(joined({}).empty());
}
