// What servers say and what is said to them, split at every byte where that may matter.
#include <catch2/catch.hpp>
#include <string>

#include "connectors/smtp/codec/command.h"
#include "connectors/smtp/codec/dot_writer.h"
#include "connectors/smtp/codec/reply.h"
#include "connectors/smtp/codec/trace.h"

using namespace postferry::smtp;

namespace {

/// The replies in `bytes`, given in pieces of `size`.
std::vector<Reply> replies(std::string_view bytes, std::size_t size) {
  ReplyDecoder decoder;
  std::vector<Reply> out;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(piece.size());
    while (auto reply = decoder.next(piece)) out.push_back(std::move(*reply));
  }
  CHECK_FALSE(decoder.in_reply());
  return out;
}

std::string dotted(std::string_view bytes, std::size_t size) {
  DotWriter writer;
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += size) writer.write(bytes.substr(at, size), out);
  writer.end(out);
  return out;
}

Trace trace() {
  return {"here", "here", loop_token("ann@new.example"), "id1", "ann@new.example", "", 0};
}

std::string header_of(const std::string& message) {
  const RelayedHeader header = relayed_header(message, trace());
  return header.bytes.substr(
      header.bytes.find("GMT") == std::string::npos ? header.bytes.find("+0000\r\n") + 7 : 0);
}

}  // namespace

TEST_CASE("replies of one line and of several are read however they are split") {
  const std::string bytes =
      "220 mx.example ESMTP\r\n250-mx.example\r\n250-SIZE 1000\r\n250 HELP\r\n550 5.1.1 "
      "nobody\n354\r\n";
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    const auto found = replies(bytes, size);
    REQUIRE(found.size() == 4);
    CHECK(found[0].code == 220);
    CHECK(found[1].lines == std::vector<std::string>{"mx.example", "SIZE 1000", "HELP"});
    CHECK(found[2].says(5, 1, 1));
    CHECK(found[2].says(5, 1, -1));
    CHECK(found[2].words() == "550 5.1.1 nobody");
    CHECK(found[3].intermediate());
  }
}

TEST_CASE("what is no reply is refused, and everything is capped") {
  const auto broken = [](const std::string& bytes) {
    ReplyDecoder decoder;
    std::string_view rest = bytes;
    while (!rest.empty()) decoder.next(rest);
  };
  CHECK_THROWS_AS(broken("hello\r\n"), ProtocolError);
  CHECK_THROWS_AS(broken("999 no\r\n"), ProtocolError);
  CHECK_THROWS_AS(broken("25\r\n"), ProtocolError);
  CHECK_THROWS_AS(broken("250x\r\n"), ProtocolError);
  CHECK_THROWS_AS(broken("250-a\r\n550 b\r\n"), ProtocolError);
  CHECK_THROWS_AS(broken("250 " + std::string(kMaxLine, 'x')), ProtocolError);
  std::string endless;
  for (std::size_t i = 0; i <= kMaxLines; ++i) endless += "250-x\r\n";
  CHECK_THROWS_AS(broken(endless), ProtocolError);
}

TEST_CASE("EHLO's extensions are read, and the unknown ones are passed over") {
  const auto found = replies(
      "250-mx\r\n250-PIPELINING\r\n250-size 1000\r\n250-STARTTLS\r\n250-AUTH plain LOGIN\r\n"
      "250-AUTH=LOGIN\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n"
      "250-LIMITS RCPTMAX=5 MAILMAX=20\r\n250-X-ODD\r\n250 SMTPUTF8\r\n",
      1000);
  const Extensions offered = parse_extensions(found.at(0));
  CHECK((offered.pipelining && offered.starttls && offered.eightbitmime && offered.chunking));
  CHECK((offered.binarymime && offered.dsn && offered.smtputf8 && offered.size));
  CHECK(offered.most_bytes == 1000u);
  CHECK(offered.most_mails == 20u);
  CHECK(offered.auth == std::vector<std::string>{"PLAIN", "LOGIN"});
  CHECK_FALSE(parse_extensions(replies("250-mx\r\n250 SIZE 0\r\n", 99).at(0)).most_bytes);
}

TEST_CASE("MAIL and RCPT say just what the server has offered") {
  Envelope envelope{"ann@a.example", "bob@b.example", 1234, BodyKind::eightbit, "a+b=c"};
  CHECK(mail(envelope, {}).text == "MAIL FROM:<ann@a.example>");
  CHECK(rcpt(envelope, {}).text == "RCPT TO:<bob@b.example>");
  Extensions all;
  all.size = all.eightbitmime = all.dsn = all.smtputf8 = true;
  CHECK(mail(envelope, all).text ==
        "MAIL FROM:<ann@a.example> SIZE=1234 BODY=8BITMIME RET=HDRS ENVID=a+2Bb+3Dc");
  CHECK(rcpt(envelope, all).text == "RCPT TO:<bob@b.example> NOTIFY=NEVER");
  envelope.sender.clear();
  envelope.recipient =
      "b\xC3\xB6"
      "b@b.example";
  envelope.body = BodyKind::binary;
  all.binarymime = all.chunking = true;
  CHECK(mail(envelope, all).text ==
        "MAIL FROM:<> SIZE=1234 BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+3Dc");
}

TEST_CASE("nothing smuggles a command into an address or a mechanism") {
  Envelope envelope{"ann@a.example>\r\nRCPT TO:<x", "bob", 0, BodyKind::sevenbit, ""};
  CHECK_THROWS_AS(mail(envelope, {}), std::invalid_argument);
  envelope.recipient = "bob eve";
  CHECK_THROWS_AS(rcpt(envelope, {}), std::invalid_argument);
  CHECK_THROWS_AS(hello("EHLO", "a\r\nb"), std::invalid_argument);
  CHECK_THROWS_AS(auth_response("a\r\nb"), std::invalid_argument);
}

TEST_CASE("dots are doubled at a line's beginning and nowhere else, however the text is split") {
  const std::string text = ".a\r\n..\r\nb.c\r\n.\r\n\r\nend";
  for (std::size_t size = 1; size <= text.size(); ++size)
    CHECK(dotted(text, size) == "..a\r\n...\r\nb.c\r\n..\r\n\r\nend\r\n.\r\n");
  CHECK(dotted("a\r\n", 1) == "a\r\n.\r\n");
  CHECK(dotted("", 1) == ".\r\n");
}

TEST_CASE("no line end that a server might read in another way leaves a message early") {
  for (std::size_t size = 1; size <= 6; ++size) {
    CHECK(dotted("a\n.\nb\n", size) == "a\r\n..\r\nb\r\n.\r\n");
    CHECK(dotted("a\r", size) == "a\r\n.\r\n");
    CHECK(dotted("a\r.\r\nMAIL\r\r\n", size) == "a\r\n..\r\nMAIL\r\n\r\n.\r\n");
    CHECK(dotted("\r.\rb", size) == "\r\n..\r\nb\r\n.\r\n");
  }
}

TEST_CASE("what a message needs of the server is seen") {
  const auto kind = [](const std::string& text) {
    BodyScan scan;
    scan.update(text);
    return scan.kind();
  };
  CHECK(kind("plain\r\n") == BodyKind::sevenbit);
  CHECK(kind("\xE9\r\n") == BodyKind::eightbit);
  CHECK(kind(std::string("a\0b\r\n", 5)) == BodyKind::binary);
  CHECK(kind(std::string(kMaxTextLine, 'x') + "\r\n") == BodyKind::sevenbit);
  CHECK(kind(std::string(kMaxTextLine + 1, 'x') + "\r\n") == BodyKind::binary);
}

TEST_CASE("a trace goes before the header, and what delivered the message once is left out") {
  const std::string message =
      "From x Mon Mar  2 10:00:00 2020\r\nReturn-Path: <x@y>\r\nDelivered-To: ann@new.example\r\n"
      "Bcc: hidden@y,\r\n more@y\r\nReceived: by a\r\nX-UIDL: 7\r\nStatus: RO\r\nSubject: s\r\n  "
      "folded\r\n"
      "\r\nStatus: body\r\n";
  const RelayedHeader header = relayed_header(message, trace());
  CHECK(header.bytes ==
        "Received: from here by here\r\n\twith postferry id " + loop_token("ann@new.example") +
            ".id1\r\n\tfor <ann@new.example>; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
            "X-Delivered-To: ann@new.example\r\nReceived: by a\r\nSubject: s\r\n  folded\r\n");
  CHECK(message.substr(header.replaced) == "\r\nStatus: body\r\n");
  CHECK(header.received_count == 1);
  CHECK_FALSE(header.looped);
}

TEST_CASE("what a signature covers stays, whatever it is") {
  CHECK(header_of("DKIM-Signature: v=1; h=From : Bcc\r\n\t: status; b=x\r\nBcc: b\r\nStatus: "
                  "R\r\nX-Status: A\r\n\r\n") ==
        "DKIM-Signature: v=1; h=From : Bcc\r\n\t: status; b=x\r\nBcc: b\r\nStatus: R\r\n");
}

TEST_CASE("mail that has been relayed to this recipient before is known, to another it is not") {
  Trace elsewhere = trace();
  elsewhere.token = loop_token("bob@new.example");
  const std::string once = relayed_header("Subject: s\r\n\r\n", trace()).bytes + "\r\n";
  CHECK(relayed_header(once, trace()).looped);
  CHECK_FALSE(relayed_header(once, elsewhere).looped);
  CHECK(loop_token("ANN@new.example") == loop_token("ann@new.example"));
}

TEST_CASE("a message without a header, or with a broken one, keeps its bytes") {
  CHECK(header_of("\r\nbody").empty());
  CHECK(header_of("").empty());
  CHECK(header_of("no colon\r\n\r\n") == "no colon\r\n");
  CHECK(header_of(" folded first\r\nBcc: x") == " folded first\r\n");
}

TEST_CASE("--resent adds its block, with the date of now") {
  Trace resent = trace();
  resent.resent_from = "mover@new.example";
  resent.now = 1'583'143'200;
  const std::string bytes = relayed_header("Subject: s\r\n\r\n", resent).bytes;
  CHECK(bytes.find("\r\nResent-Date: Mon, 2 Mar 2020 10:00:00 +0000\r\nResent-From: "
                   "<mover@new.example>\r\nResent-To: <ann@new.example>\r\nResent-Message-ID: <") !=
        std::string::npos);
}
