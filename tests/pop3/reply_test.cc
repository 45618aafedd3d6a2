// What POP3 servers say, also in pieces, also wrongly.
#include "connectors/pop3/codec/reply.h"

#include <catch2/catch.hpp>

using namespace postferry::pop3;
using Kind = StatusLine::Kind;

namespace {

/// All lines of a listing that arrives in two pieces.
std::vector<std::string> listing(std::string_view whole, std::size_t split) {
  ListingDecoder decoder;
  std::vector<std::string> lines;
  for (const std::string_view piece : {whole.substr(0, split), whole.substr(split)}) {
    // Copies of exactly that size, so that reading past an end is seen by the sanitizer.
    const std::vector<char> bytes(piece.begin(), piece.end());
    std::string_view input(bytes.data(), bytes.size());
    while (const auto line = decoder.next(input)) lines.emplace_back(*line);
  }
  CHECK(decoder.done());
  return lines;
}

}  // namespace

TEST_CASE("lines come out whole however they arrive") {
  const std::string_view whole = "one\r\n\r\ntwo\nth\rree\r\n";
  for (std::size_t split = 0; split <= whole.size(); ++split) {
    LineDecoder decoder;
    std::vector<std::string> lines;
    for (const std::string_view piece : {whole.substr(0, split), whole.substr(split)}) {
      const std::vector<char> bytes(piece.begin(), piece.end());
      std::string_view input(bytes.data(), bytes.size());
      while (const auto line = decoder.next(input)) lines.emplace_back(*line);
      CHECK(input.empty());
    }
    CHECK(lines == std::vector<std::string>{"one", "", "two", "th\rree"});
    CHECK_FALSE(decoder.in_line());
  }
}

TEST_CASE("a line takes no more than itself off the input") {
  LineDecoder decoder;
  std::string_view input = "one\r\ntwo";
  CHECK(decoder.next(input) == "one");
  CHECK(input == "two");
  CHECK_FALSE(decoder.next(input));
  CHECK(decoder.in_line());
}

TEST_CASE("a line longer than the cap is an error, in one piece or byte by byte") {
  const std::string longest(kMaxLine, 'x');
  {
    LineDecoder decoder;
    const std::string fits = longest + "\r\n";
    std::string_view input = fits;
    CHECK(decoder.next(input) == longest);
  }
  {
    LineDecoder decoder;
    const std::string endless = longest + "xx";
    std::string_view input = endless;
    CHECK_THROWS_AS(decoder.next(input), ProtocolError);
  }
  LineDecoder decoder;
  const auto feed = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::string_view input = "x";
      decoder.next(input);
    }
  };
  CHECK_NOTHROW(feed(kMaxLine));
  CHECK_THROWS_AS(feed(2), ProtocolError);
}

TEST_CASE("a listing ends at its dot, wherever it is split") {
  const std::string_view whole = "1 a\r\n..2 b\r\n3 .\r\n.\r\n+OK next";
  for (std::size_t split = 0; split <= whole.size(); ++split) {
    CHECK(listing(whole, split) == std::vector<std::string>{"1 a", ".2 b", "3 ."});
  }
}

TEST_CASE("an empty listing is a dot") {
  ListingDecoder decoder;
  std::string_view input = ".\r\n+OK";
  CHECK_FALSE(decoder.next(input));
  CHECK(decoder.done());
  CHECK(input == "+OK");
}

TEST_CASE("a listing with more lines than allowed is an error") {
  ListingDecoder decoder(2);
  std::string_view input = "1\r\n2\r\n3\r\n.\r\n";
  decoder.next(input);
  decoder.next(input);
  CHECK_THROWS_AS(decoder.next(input), ProtocolError);
}

TEST_CASE("status lines are told apart") {
  CHECK(parse_status("+OK").kind == Kind::ok);
  CHECK(parse_status("+OK 2 messages").text == "2 messages");
  CHECK(parse_status("+ok fine").ok());
  CHECK(parse_status("-ERR").kind == Kind::err);
  CHECK(parse_status("-ERR no such message").text == "no such message");
  CHECK(parse_status("-ERR: odd").kind == Kind::err);
  CHECK(parse_status("+ VXNlcm5hbWU6").text == "VXNlcm5hbWU6");
  CHECK(parse_status("+ ").kind == Kind::challenge);
  CHECK(parse_status("+").kind == Kind::challenge);
}

TEST_CASE("anything else is no status line") {
  const char* line = GENERATE("", "OK", "+OKAY", "*", "From: ann@x", "++",
                              "220 smtp.example.org ESMTP", "* OK IMAP4rev1 ready", "\xff\xfe");
  CHECK_THROWS_AS(parse_status(line), ProtocolError);
}

TEST_CASE("a protocol error shows what was said, cut") {
  try {
    parse_status("* OK " + std::string(1000, 'x'));
    FAIL("nothing was thrown");
  } catch (const ProtocolError& error) {
    CHECK(error.excerpt().starts_with("* OK xxx"));
    CHECK(error.excerpt().size() <= 100);
    CHECK(error.offset() == 0);
  }
}

TEST_CASE("response codes are known") {
  CHECK(parse_status("-ERR [IN-USE] Do you have another session?").code == ResponseCode::in_use);
  CHECK(parse_status("-ERR [in-use]").code == ResponseCode::in_use);
  CHECK(parse_status("-ERR [LOGIN-DELAY] wait").code == ResponseCode::login_delay);
  CHECK(parse_status("-ERR [LOGIN-DELAY 60] wait").code_number == 60);
  CHECK(parse_status("-ERR [AUTH] no").code == ResponseCode::auth);
  CHECK(parse_status("-ERR [SYS/TEMP] no").code == ResponseCode::sys_temp);
  CHECK(parse_status("-ERR [SYS/PERM] no").code == ResponseCode::sys_perm);
  CHECK(parse_status("-ERR [UTF8] no").code == ResponseCode::other);
  CHECK(parse_status("-ERR no [AUTH]").code == ResponseCode::none);
  CHECK(parse_status("-ERR [AUTH").code == ResponseCode::none);
  CHECK(parse_status("-ERR []").code == ResponseCode::other);
}

TEST_CASE("a busy mailbox is told from a bad password") {
  const auto busy = [](std::string_view line) { return says_busy(parse_status(line)); };
  CHECK(busy("-ERR [IN-USE] x"));
  CHECK(busy("-ERR [LOGIN-DELAY] x"));
  CHECK(busy("-ERR [SYS/TEMP] x"));
  CHECK(busy("-ERR maildrop already locked"));
  CHECK(busy("-ERR Unable to lock maildrop: Mailbox is locked by POP server"));
  CHECK(busy("-ERR please wait 60 seconds"));
  CHECK(busy("-ERR mailbox in use"));
  CHECK(busy("-ERR Temporary authentication failure."));
  CHECK_FALSE(busy("-ERR [AUTH] locked"));
  CHECK_FALSE(busy("-ERR [SYS/PERM] wait"));
  CHECK_FALSE(busy("-ERR Authentication failed."));
  CHECK_FALSE(busy("-ERR your address is blocked"));
  CHECK_FALSE(busy("-ERR"));
}

TEST_CASE("capabilities are read whatever their case and order") {
  Capabilities capabilities;
  CHECK_FALSE(capabilities.known);
  for (const char* line : {"TOP", "user", "UIDL", "SASL PLAIN scram-sha-256  XOAUTH2", "PIPELINING",
                           "STLS", "EXPIRE NEVER", "", "IMPLEMENTATION Cyrus POP3 3.6"}) {
    capabilities.add(line);
  }
  CHECK(capabilities.known);
  CHECK(capabilities.top);
  CHECK(capabilities.user);
  CHECK(capabilities.uidl);
  CHECK(capabilities.pipelining);
  CHECK(capabilities.stls);
  CHECK(capabilities.sasl == std::vector<std::string>{"PLAIN", "SCRAM-SHA-256", "XOAUTH2"});
  CHECK(capabilities.implementation == "Cyrus POP3 3.6");
}

TEST_CASE("a name that only begins like a capability is another one") {
  Capabilities capabilities;
  capabilities.add("TOPPLE");
  capabilities.add("USER-X");
  CHECK_FALSE(capabilities.top);
  CHECK_FALSE(capabilities.user);
}

TEST_CASE("lines of LIST are read") {
  CHECK(parse_list_item("1 1024").number == 1);
  CHECK(parse_list_item("1 1024").size_bytes == 1024);
  CHECK(parse_list_item("  7\t5000000000 octets").size_bytes == 5'000'000'000);
  CHECK(parse_list_item("7").size_bytes == 0);
  CHECK(parse_list_item("7 many").size_bytes == 0);
  CHECK(parse_list_item("7 99999999999999999999999").size_bytes == 0);
  for (const char* line : {"", "x 1", "0 5", "-1 5", "4294967296 5"}) {
    CHECK_THROWS_AS(parse_list_item(line), ProtocolError);
  }
}

TEST_CASE("lines of UIDL are read, with or without a uid") {
  CHECK(parse_uidl_item("1 abc").number == 1);
  CHECK(parse_uidl_item("1 abc").uid == "abc");
  CHECK(parse_uidl_item("1   a.b:c/d  ").uid == "a.b:c/d");
  CHECK(parse_uidl_item("1").uid.empty());
  CHECK(parse_uidl_item("1 ").uid.empty());
  CHECK(parse_uidl_item("1 \x01").uid.empty());
  CHECK(parse_uidl_item("1 gr\xc3\xbcn").uid.empty());
  CHECK(parse_uidl_item("1 " + std::string(kMaxUidl + 1, 'x')).uid.empty());
  CHECK_THROWS_AS(parse_uidl_item("abc 1"), ProtocolError);
}
