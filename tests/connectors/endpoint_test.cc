// The URL grammar of the command line, to the letter.
#include "connectors/endpoint.h"

#include <catch2/catch.hpp>

#include "engine/error.h"

using postferry::Endpoint;
using postferry::Error;
using postferry::ErrorKind;
using postferry::parse_endpoint;
using postferry::Protocol;
using postferry::TlsMode;

namespace {

/// The refusal's text; empty when the URL was taken.
std::string refusal(std::string_view url) {
  try {
    parse_endpoint(url);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("each scheme brings its protocol, its TLS and its port") {
  Endpoint imaps = parse_endpoint("imaps://ann@h");
  CHECK(imaps.protocol == Protocol::imap);
  CHECK(imaps.tls == TlsMode::implicit);
  CHECK(imaps.port == 993);
  Endpoint imap = parse_endpoint("imap://ann@h");
  CHECK(imap.protocol == Protocol::imap);
  CHECK(imap.tls == TlsMode::starttls);
  CHECK(imap.port == 143);
  Endpoint pop3s = parse_endpoint("POP3S://ann@h");
  CHECK(pop3s.protocol == Protocol::pop3);
  CHECK(pop3s.tls == TlsMode::implicit);
  CHECK(pop3s.port == 995);
  Endpoint pop3 = parse_endpoint("pop3://ann@h");
  CHECK(pop3.protocol == Protocol::pop3);
  CHECK(pop3.tls == TlsMode::starttls);
  CHECK(pop3.port == 110);
}

TEST_CASE("the last @ parts the user from the host") {
  Endpoint endpoint = parse_endpoint("imaps://ann@example.org@IMAP.Example.Org:1993");
  CHECK(endpoint.user == "ann@example.org");
  CHECK(endpoint.host == "imap.example.org");
  CHECK(endpoint.port == 1993);
}

TEST_CASE("a slash in the user is literal") {
  Endpoint endpoint = parse_endpoint("imaps://DOMAIN/delegate/principal@mail.example");
  CHECK(endpoint.user == "DOMAIN/delegate/principal");
  CHECK(endpoint.host == "mail.example");
}

TEST_CASE("percent escapes work in the user and in the query") {
  Endpoint endpoint = parse_endpoint("imaps://a%3Ab%3f%25%40c@h?as=x%26y&ca=/etc/my%20ca.pem");
  CHECK(endpoint.user == "a:b?%@c");
  CHECK(endpoint.authzid == "x&y");
  CHECK(endpoint.ca_file == "/etc/my ca.pem");
  CHECK_THAT(refusal("imaps://a%3@h"), Catch::Contains("%25"));
  CHECK_THAT(refusal("imaps://a%zz@h"), Catch::Contains("two hexadecimal digits"));
  CHECK_THAT(refusal("imaps://a%0d%0aNOOP@h"), Catch::Contains("control character"));
  CHECK_THAT(refusal("imaps://a%00@h"), Catch::Contains("control character"));
}

TEST_CASE("the query begins at the first question mark, so an @ after it is not a host") {
  Endpoint endpoint = parse_endpoint("imaps://ann@h?as=bob@example.org");
  CHECK(endpoint.host == "h");
  CHECK(endpoint.authzid == "bob@example.org");
}

TEST_CASE("IPv6 addresses stand in brackets") {
  Endpoint endpoint = parse_endpoint("imap://ann@[2001:DB8::1]:1143");
  CHECK(endpoint.host == "2001:db8::1");
  CHECK(endpoint.port == 1143);
  CHECK(parse_endpoint("imap://ann@[::1]").port == 143);
  CHECK(parse_endpoint("imap://ann@[fe80::1%25eth0]").host == "fe80::1%eth0");
  CHECK_THAT(refusal("imap://ann@2001:db8::1"), Catch::Contains("brackets"));
  CHECK_THAT(refusal("imap://ann@[::1"), Catch::Contains("]"));
  CHECK_THAT(refusal("imap://ann@[::1]993"), Catch::Contains(":PORT"));
  CHECK_THAT(refusal("imap://ann@[not:an:address]"), Catch::Contains("not an IPv6 address"));
}

TEST_CASE("a password in the URL is refused and never repeated") {
  for (std::string_view url :
       {"imaps://ann:hunter2@h", "imaps://ann:hunter2@x@h", "imaps://ann:hunter2?x@h",
        "imaps://ann:?hunter2=x@h", "imaps://ann:hunter2@", "imaps://:hunter2@h",
        "imaps:ann:hunter2@h", "imaps://ann:hun/ter2@h"}) {
    std::string text = refusal(url);
    CHECK_FALSE(text.empty());
    CHECK_THAT(text, !Catch::Contains("hunter2"));
    CHECK_THAT(text, !Catch::Contains("hun/ter2"));
  }
  CHECK_THAT(refusal("imaps://ann:hunter2@h"), Catch::Contains("process list"));
}

TEST_CASE("a path after the host is refused") {
  CHECK_THAT(refusal("imaps://ann@h/INBOX"), Catch::Contains("path"));
  CHECK_THAT(refusal("imaps://ann@h/"), Catch::Contains("path"));
  CHECK_THAT(refusal("imaps://ann@h:993/INBOX"), Catch::Contains("path"));
  CHECK_THAT(refusal("imaps://ann@h/?tls=none"), Catch::Contains("path"));
}

TEST_CASE("every query key is read") {
  std::string hex;
  std::string bytes;
  for (int i = 0; i < 32; ++i) {
    hex += "aB";
    bytes += '\xab';
  }
  Endpoint endpoint = parse_endpoint("imaps://ann@h?tls=none&ca=f.pem&pin=sha256:" + hex +
                                     "&verify=no&auth=scram-sha-256-plus&sessions=7&as=bob&compress=off");
  CHECK(endpoint.tls == TlsMode::none);
  CHECK(endpoint.ca_file == "f.pem");
  CHECK(endpoint.pin_sha256 == bytes);
  CHECK_FALSE(endpoint.verify);
  CHECK(endpoint.auth == "SCRAM-SHA-256-PLUS");
  CHECK(endpoint.sessions == 7);
  CHECK(endpoint.compress == postferry::Compress::off);
  CHECK(endpoint.authzid == "bob");
  CHECK(parse_endpoint("imap://ann@h?tls=implicit").tls == TlsMode::implicit);
  CHECK(parse_endpoint("imaps://ann@h?tls=starttls").tls == TlsMode::starttls);
}

TEST_CASE("without query keys the defaults are the safe ones") {
  Endpoint endpoint = parse_endpoint("imaps://ann@h");
  CHECK(endpoint.verify);
  CHECK_FALSE(endpoint.ca_file);
  CHECK_FALSE(endpoint.pin_sha256);
  CHECK(endpoint.auth.empty());
  CHECK(endpoint.sessions == 0);
  CHECK(endpoint.compress == postferry::Compress::automatic);
  CHECK(endpoint.authzid.empty());
}

TEST_CASE("wrong query keys and values are refused") {
  CHECK_THAT(refusal("imaps://ann@h?colour=red"), Catch::Contains("colour"));
  CHECK_THAT(refusal("imaps://ann@h?tls=maybe"), Catch::Contains("tls=starttls"));
  CHECK_THAT(refusal("imaps://ann@h?verify=yes"), Catch::Contains("only no"));
  CHECK_THAT(refusal("imaps://ann@h?pin=sha256:abcd"), Catch::Contains("64"));
  CHECK_THAT(refusal("imaps://ann@h?pin=" + std::string(64, 'a')), Catch::Contains("sha256:"));
  CHECK_THAT(refusal("imaps://ann@h?pin=sha256:" + std::string(63, 'a') + "g"),
             Catch::Contains("64"));
  CHECK_THAT(refusal("imaps://ann@h?pin=sha256:" + std::string(66, 'a')), Catch::Contains("64"));
  CHECK_THAT(refusal("imaps://ann@h?sessions=0"), Catch::Contains("1 to"));
  CHECK_THAT(refusal("imaps://ann@h?compress=yes"), Catch::Contains("compress=on"));
  CHECK_THAT(refusal("pop3s://ann@h?compress=on"), Catch::Contains("unknown key compress"));
  CHECK_THAT(refusal("imaps://ann@h?sessions=-1"), Catch::Contains("1 to"));
  CHECK_THAT(refusal("imaps://ann@h?sessions=3x"), Catch::Contains("1 to"));
  CHECK_THAT(refusal("imaps://ann@h?auth="), Catch::Contains("mechanism"));
  CHECK_THAT(refusal("imaps://ann@h?auth=PLA IN"), Catch::Contains("mechanism"));
  CHECK_THAT(refusal("imaps://ann@h?ca="), Catch::Contains("ca="));
  CHECK_THAT(refusal("imaps://ann@h?as="), Catch::Contains("as="));
  CHECK_THAT(refusal("imaps://ann@h?tls=none&tls=implicit"), Catch::Contains("twice"));
  CHECK_THAT(refusal("imaps://ann@h?"), Catch::Contains("key=value"));
  CHECK_THAT(refusal("imaps://ann@h?verify"), Catch::Contains("key=value"));
  CHECK_THAT(refusal("imaps://ann@h?tls=none&"), Catch::Contains("key=value"));
}

TEST_CASE("what is no URL of ours is refused with what was expected") {
  CHECK_THAT(refusal(""), Catch::Contains("imaps://USER@HOST"));
  CHECK_THAT(refusal("ann@h"), Catch::Contains("imaps://USER@HOST"));
  CHECK_THAT(refusal("http://ann@h"), Catch::Contains("unknown scheme http"));
  CHECK_THAT(refusal("imaps:ann@h"), Catch::Contains("//"));
  CHECK_THAT(refusal("imaps://h"), Catch::Contains("USER@HOST"));
  CHECK_THAT(refusal("imaps://@h"), Catch::Contains("no user"));
  CHECK_THAT(refusal("imaps://ann@"), Catch::Contains("no host"));
  CHECK_THAT(refusal("imaps://ann@:993"), Catch::Contains("no host"));
  CHECK_THAT(refusal("imaps://ann@h:"), Catch::Contains("port"));
  CHECK_THAT(refusal("imaps://ann@h:0"), Catch::Contains("port"));
  CHECK_THAT(refusal("imaps://ann@h:65536"), Catch::Contains("port"));
  CHECK_THAT(refusal("imaps://ann@h:9a"), Catch::Contains("port"));
  CHECK_THAT(refusal("imaps://ann@b\xc3\xbc"
                     "cher.example"),
             Catch::Contains("xn--"));
  CHECK_THAT(refusal("imaps://ann@h h"), Catch::Contains("not a host name"));
}

TEST_CASE("a relay is a server with or without a login, a socket, or a domain") {
  const Endpoint submission = parse_endpoint("smtp://ann@a.example@h.example");
  CHECK(submission.relays());
  CHECK((submission.port == 587 && submission.tls == TlsMode::starttls));
  CHECK(submission.user == "ann@a.example");
  const Endpoint open = parse_endpoint("smtps://h.example");
  CHECK((open.port == 465 && open.tls == TlsMode::implicit && !open.has_login()));
  CHECK(open.to_string() == "smtps://h.example");
  const Endpoint tcp = parse_endpoint("lmtp://h.example");
  CHECK((tcp.port == 24 && tcp.tls == TlsMode::none && tcp.path.empty()));
  const Endpoint socket = parse_endpoint("lmtp:/run/dovecot//lmtp?sessions=2");
  CHECK((socket.path == "/run/dovecot/lmtp" && socket.sessions == 2 && socket.relays()));
  CHECK(socket.to_string() == "lmtp:/run/dovecot/lmtp");
  const Endpoint domain = parse_endpoint("mx:New.example?tls=required&dns=192.0.2.1:53");
  CHECK((domain.host == "new.example" && domain.port == 25 && domain.dns == "192.0.2.1:53"));
  CHECK((domain.tls == TlsMode::starttls && domain.to_string() == "mx:new.example?tls=required"));
  CHECK(parse_endpoint("mx:new.example:2525").tls == TlsMode::when_offered);
  for (const char* wrong : {"mx:ann@new.example", "mx:", "smtp:h.example", "lmtp:h", "smtp://",
                            "mx:new.example?tls=starttls", "smtp://h?dns=192.0.2.1"}) {
    INFO(wrong);
    CHECK_FALSE(refusal(wrong).empty());
  }
}

TEST_CASE("what a relay is for belongs to its identity, who sends does not") {
  Endpoint ann = parse_endpoint("smtp://h.example"), bob = ann;
  ann.recipient = "ann@new.example";
  bob.recipient = "bob@new.example";
  CHECK(ann.identity() == "smtp://h.example:587?recipient=ann@new.example");
  CHECK(ann.identity() != bob.identity());
  const std::string before = ann.identity();
  ann.envelope_sender = "mover@new.example";
  ann.resent = true;
  CHECK(ann.identity() == before);
}

TEST_CASE("an mbox and a directory of .eml files are named by their path alone") {
  const Endpoint mbox = parse_endpoint("mbox:/mail/../mail/old.mbox?sessions=2");
  CHECK(mbox.protocol == Protocol::mbox);
  CHECK(mbox.in_files());
  CHECK(mbox.path == "/mail/old.mbox");
  CHECK(mbox.sessions == 2);
  CHECK(mbox.identity() == "mbox:/mail/old.mbox");
  const Endpoint eml = parse_endpoint("eml:/mail/a b");
  CHECK(eml.protocol == Protocol::eml);
  CHECK(eml.identity() == "eml:/mail/a b");
  CHECK(eml.to_string() == "eml:/mail/a%20b");
  CHECK_THAT(refusal("mbox:"), Catch::Contains("no path"));
  CHECK_THAT(refusal("mbox:/a?layout=fs"), Catch::Contains("unknown key"));
  CHECK_THAT(refusal("maildir:/a?labels=folders"), Catch::Contains("unknown key"));
  CHECK_THAT(refusal("mbox:/a?labels=odd"), Catch::Contains("labels="));
}

TEST_CASE("a Maildir is named by its path alone") {
  const Endpoint end = parse_endpoint("maildir:/backup//ann/./mail/?layout=fs&sessions=2");
  CHECK(end.protocol == Protocol::maildir);
  CHECK(end.in_files());
  CHECK(end.path == "/backup/ann/mail");
  CHECK(end.layout == "fs");
  CHECK(end.sessions == 2);
  CHECK(end.identity() == "maildir:/backup/ann/mail");
  CHECK(end.to_string() == "maildir:/backup/ann/mail?layout=fs");
  CHECK(parse_endpoint("MAILDIR:/a%3Fb%25").path == "/a?b%");
  CHECK(parse_endpoint(parse_endpoint("maildir:/a%3Fb%25 c").to_string()).path == "/a?b% c");
  CHECK(parse_endpoint("maildir:mail").path.starts_with("/"));
  CHECK(parse_endpoint("maildir:mail").path.ends_with("/mail"));
  CHECK_THAT(refusal("maildir:"), Catch::Contains("no path"));
  CHECK_THAT(refusal("maildir://host/mail"), Catch::Contains("no host"));
  CHECK_THAT(refusal("maildir:/a?layout=odd"), Catch::Contains("layout="));
  CHECK_THAT(refusal("maildir:/a?tls=none"), Catch::Contains("unknown key"));
  CHECK_FALSE(parse_endpoint("imaps://ann@h").in_files());
}

TEST_CASE("the identity is protocol, host, port, user and as, and nothing else") {
  std::string plain = parse_endpoint("imaps://ann@h").identity();
  CHECK(parse_endpoint("imap://ann@H:993?tls=none&verify=no&sessions=3&auth=plain").identity() ==
        plain);
  CHECK(parse_endpoint("imap://ann@h").identity() != plain);
  CHECK(parse_endpoint("pop3s://ann@h:993").identity() != plain);
  CHECK(parse_endpoint("imaps://bob@h").identity() != plain);
  CHECK(parse_endpoint("imaps://ann@g").identity() != plain);
  CHECK(parse_endpoint("imaps://ann@h?as=bob").identity() != plain);
}

TEST_CASE("people see a URL that reads back as the same mailbox") {
  CHECK(parse_endpoint("imaps://ann@h").to_string() == "imaps://ann@h");
  CHECK(parse_endpoint("imap://ann@h").to_string() == "imap://ann@h");
  CHECK(parse_endpoint("imaps://ann@h:1993").to_string() == "imaps://ann@h:1993");
  CHECK(parse_endpoint("pop3://ann@[::1]:110").to_string() == "pop3://ann@[::1]");
  for (std::string_view url :
       {"imaps://a%3Ab@h", "imap://a%3Fb%25@[fe80::1%25eth0]?tls=none", "pop3s://a b@h?verify=no",
        "imaps://a@b@h?as=x%26y%25", "imap://a@h?tls=implicit"}) {
    Endpoint first = parse_endpoint(url);
    Endpoint again = parse_endpoint(first.to_string());
    CHECK(again.identity() == first.identity());
    CHECK(again.tls == first.tls);
    CHECK(again.verify == first.verify);
  }
}

TEST_CASE("an export with its labels as folders is another mailbox than with labels as keywords") {
  const Endpoint folders = parse_endpoint("mbox:/a.zip?labels=folders");
  CHECK(folders.labels == "folders");
  CHECK(folders.to_string() == "mbox:/a.zip?labels=folders");
  CHECK(folders.identity() == "mbox:/a.zip?labels=folders");
  CHECK(parse_endpoint("mbox:/a.zip?labels=keywords").identity() == "mbox:/a.zip");
  CHECK(parse_endpoint("mbox:/a.zip").labels.empty());
}
