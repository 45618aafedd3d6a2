// What header_scan finds in headers as they are found in the wild.
#include "connectors/mail/header_scan.h"

#include <catch2/catch.hpp>

using namespace postferry::mail;

TEST_CASE("the identifying fields are found, whatever their case") {
  const auto scan = scan_header(
      "Received: from a by b; Mon, 1 Jan 2001 00:00:00 +0000\r\n"
      "RECEIVED: from c by d; Sun, 31 Dec 2000 00:00:00 +0000\r\n"
      "MESSAGE-ID: <1@x>\r\n"
      "date: Mon, 1 Jan 2001 00:00:00 +0000\r\n"
      "From: Ann <ann@x>\r\n"
      "SubJect: hello\r\n"
      "To: bob@y\r\n"
      "Status: RO\r\n"
      "X-Status: AF\r\n"
      "X-Keywords: one two\r\n"
      "\r\n"
      "Subject: body\r\n");
  CHECK(scan.message_id == "<1@x>");
  CHECK(scan.date == "Mon, 1 Jan 2001 00:00:00 +0000");
  CHECK(scan.from == "Ann <ann@x>");
  CHECK(scan.subject == "hello");
  CHECK(scan.to == "bob@y");
  CHECK(scan.status == "RO");
  CHECK(scan.x_status == "AF");
  CHECK(scan.x_keywords == "one two");
  REQUIRE(scan.received.size() == 2);
  CHECK(scan.received[0] == "from a by b; Mon, 1 Jan 2001 00:00:00 +0000");
  CHECK(scan.received_count == 2);
  CHECK(scan.complete);
}

TEST_CASE("the first of repeated fields stands") {
  CHECK(scan_header("To: a\r\nTo: b\r\n\r\n").to == "a");
  CHECK(scan_header("Subject:\r\nSubject: b\r\n\r\n").subject == "");
}

TEST_CASE("folded fields are unfolded with their white space") {
  CHECK(scan_header("Subject: one\r\n two\r\n\tthree\r\n\r\n").subject == "one two\tthree");
  CHECK(scan_header("Subject: one\n two\n\n").subject == "one two");
  CHECK(scan_header("Message-ID:\r\n <1@x>\r\n\r\n").message_id == "<1@x>");
  CHECK(scan_header("Subject: a\r\n \r\n b\r\n\r\n").subject == "a  b");
  CHECK(scan_header("Subject: \r\n \r\n\r\n").subject == "");
}

TEST_CASE("bare LF ends lines as CRLF does") {
  const auto scan = scan_header("From: a\nTo: b\n\nDate: c\n");
  CHECK(scan.from == "a");
  CHECK(scan.to == "b");
  CHECK_FALSE(scan.date);
  CHECK(scan.size_bytes == 15);
}

TEST_CASE("eight-bit bytes and NUL come out as they went in") {
  using namespace std::string_literals;
  CHECK(scan_header("Subject: gr\xfc\xdf\x00 dich\r\n\r\n"s).subject == "gr\xfc\xdf\x00 dich"s);
}

TEST_CASE("white space before the colon is accepted") {
  CHECK(scan_header("Subject \t: x\r\n\r\n").subject == "x");
}

TEST_CASE("an mbox From line at the top is passed over") {
  const auto scan = scan_header("From ann@x Mon Jan  1 00:00:00 2001\nFrom: ann\n\n");
  CHECK(scan.from == "ann");
  CHECK(scan_header(">From ann@x Mon Jan  1 00:00:00 2001\r\nFrom: ann\r\n\r\n").from == "ann");
}

TEST_CASE("a line without a colon is passed over") {
  const auto scan = scan_header("garbage\r\nFrom: a\r\nmore garbage\r\n folded\r\nTo: b\r\n\r\n");
  CHECK(scan.from == "a");
  CHECK(scan.to == "b");
}

TEST_CASE("white space at the very top continues nothing") {
  CHECK(scan_header(" Subject: no\r\nSubject: yes\r\n\r\n").subject == "yes");
}

TEST_CASE("a header without a blank line reaches to the end and is not complete") {
  const auto scan = scan_header("From: a\r\nTo: b");
  CHECK(scan.to == "b");
  CHECK_FALSE(scan.complete);
  CHECK(scan.size_bytes == 14);
  CHECK_FALSE(scan_header("").complete);
  CHECK(scan_header("\r\n").complete);
  CHECK(scan_header("\n").size_bytes == 1);
}

TEST_CASE("a value longer than the cap is cut") {
  const std::string header = "To: " + std::string(kMaxFieldBytes + 10, 'a') + "\r\nFrom: b\r\n\r\n";
  const auto scan = scan_header(header);
  CHECK(scan.to->size() == kMaxFieldBytes);
  CHECK(scan.from == "b");
}

TEST_CASE("no more than the first megabyte is read") {
  std::string header;
  while (header.size() < kMaxHeaderBytes) header += "X-Filler: abcdefghijklmnopqrstuvwxyz\r\n";
  header += "From: a\r\n\r\n";
  const auto scan = scan_header(header);
  CHECK_FALSE(scan.from);
  CHECK(scan.size_bytes == kMaxHeaderBytes);
}

TEST_CASE("only the first Received fields are kept, all are counted") {
  std::string header;
  for (int i = 0; i < 100; ++i) header += "Received: " + std::to_string(i) + "\r\n";
  const auto scan = scan_header(header + "\r\n");
  CHECK(scan.received_count == 100);
  REQUIRE(scan.received.size() == kMaxReceived);
  CHECK(scan.received.back() == "63");
}

TEST_CASE("every beginning of a header can be scanned") {
  const std::string header =
      "From x\r\nReceived: a\r\n b; c\r\nSubject : d\r\n\te\r\nnocolon\r\n\r\nbody";
  for (std::size_t size = 0; size <= header.size(); ++size) {
    // A copy of just that size, so that a read past its end is seen by the sanitizer.
    const std::vector<char> part(header.begin(),
                                 header.begin() + static_cast<std::ptrdiff_t>(size));
    const auto scan = scan_header(std::string_view(part.data(), part.size()));
    CHECK(scan.size_bytes <= size);
    CHECK(scan.complete == (size >= header.size() - 4));
  }
}

TEST_CASE("find_field finds any field by its name") {
  const std::string_view header = "X-One: 1\r\nx-TWO: 2\r\n b\r\n\r\nX-Three: 3\r\n";
  CHECK(find_field(header, "x-two") == "2 b");
  CHECK_FALSE(find_field(header, "x-three"));
  CHECK_FALSE(find_field(header, "x"));
}

TEST_CASE("Status and X-Status tell the flags") {
  const auto flags = [](std::string_view header) { return status_flags(scan_header(header)); };
  CHECK(flags("Status: RO\r\n\r\n") == StatusFlags{.seen = true});
  CHECK(flags("Status: O\r\n\r\n") == StatusFlags{});
  CHECK(flags("X-Status: A\r\n\r\n") == StatusFlags{.answered = true});
  CHECK(flags("X-Status: F\r\n\r\n") == StatusFlags{.flagged = true});
  CHECK(flags("X-Status: T\r\n\r\n") == StatusFlags{.draft = true});
  CHECK(flags("X-Status: D\r\n\r\n") == StatusFlags{.deleted = true});
  CHECK(flags("Status: R\r\nX-Status: AD\r\n\r\n") ==
        StatusFlags{.seen = true, .answered = true, .deleted = true});
  CHECK(flags("Subject: x\r\n\r\n") == StatusFlags{});
}

TEST_CASE("a Status that is a sentence tells no flags") {
  CHECK(status_flags(scan_header("Status: REJECTED BY THE BOARD\r\n\r\n")) == StatusFlags{});
}

TEST_CASE("X-Keywords are split into words, each once") {
  const auto words =
      keywords(scan_header("X-Keywords: $Forwarded  work $Forwarded\t \r\n home   \r\n\r\n"));
  CHECK(words == std::vector<std::string>{"$Forwarded", "work", "home"});
  CHECK(keywords(scan_header("X-Keywords:      \r\n\r\n")).empty());
}

TEST_CASE("words that cannot be IMAP keywords are passed over") {
  const auto words =
      keywords(scan_header("X-Keywords: \\Seen a(b c%d gr\xfcn \"x\" ok [y\r\n\r\n"));
  CHECK(words == std::vector<std::string>{"ok", "[y"});
}

TEST_CASE("keywords are bounded in number and size") {
  std::string value = std::string(kMaxKeywordBytes + 1, 'x');
  for (int i = 0; i < 1000; ++i) value += " k" + std::to_string(i);
  const auto words = keywords(scan_header("X-Keywords: " + value + "\r\n\r\n"));
  CHECK(words.size() == kMaxKeywords);
  CHECK(words.front() == "k0");
}
