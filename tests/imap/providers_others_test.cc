// What real servers do when they are read, line by line of the list of providers: server software,
// and what holds for IMAP in general.
#include <catch2/catch.hpp>

#include "connectors/header_fields.h"
#include "engine/fingerprint.h"
#include "engine/mapping.h"
#include "tests/imap/provider_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

TEST_CASE("providers 22, 34: a folder without UIDVALIDITY, or with 0, can be read all the same") {
  for (const char* told : {"* OK hello", "* OK [UIDVALIDITY 0] ok"}) {
    Dialogue d = opens("A4", "EXAMINE", 1, told);
    const bool missing = std::string(told).find("UIDVALIDITY") == std::string::npos;
    if (missing) d.c("A5 STATUS \"INBOX\" (UIDNEXT UIDVALIDITY)").s("A5 BAD what");
    const std::string list = missing ? "A6" : "A5", fetch = missing ? "A7" : "A6";
    d.then(lists(list, {"* 1 FETCH (UID 1 RFC822.SIZE 3)"}));
    d.c(fetch + " UID FETCH 1 " + kItems).raw(body_line(1, "abc")).s(fetch + " OK");
    CHECK(read_all({}, d).told == "1()='abc' ");
  }
}

TEST_CASE("providers 22: sets are ascending, and headers are fetched by UID, never searched for") {
  Dialogue d = opens("A4", "EXAMINE", 3);
  d.c("A5 UID FETCH 2,7,9 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO "
      "RECEIVED)])");
  for (const int uid : {2, 7, 9})
    d.raw(
        fmt::format("* 1 FETCH (UID {} BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO "
                    "RECEIVED)] {{2}}\r\n\r\n)\r\n",
                    uid));
  d.s("A5 OK");
  const auto error = with_source(
      {}, d, [](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.select(kInbox);
        std::vector<MessageKey> keys{MessageKey(Uid{9}), MessageKey(Uid{2}), MessageKey(Uid{7})};
        co_await session.headers(std::move(keys));
      });
  CHECK(!error);
}

TEST_CASE("providers 23: dates with one digit, two digits or none are read alike") {
  for (const char* date : {"07-Nov-2016 10:11:12 +0100", " 7-Nov-2016 10:11:12 +0100"}) {
    Dialogue d = opens("A4", "EXAMINE", 1);
    d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3)"}));
    d.c(std::string("A6 UID FETCH 1 ") + kItems);
    d.raw(body_line(1, "abc", fmt::format(" INTERNALDATE \"{}\"", date))).s("A6 OK");
    CHECK(read_all({}, d).told == "1()@1478509872='abc' ");
  }
}

TEST_CASE("providers 24: a locked shared folder that ends the session does so in its words") {
  Dialogue d;
  d.c("A4 EXAMINE \"INBOX\"").s("* BYE Zimbra IMAP4rev1 server closing connection").hangs_up();
  const auto error = with_source(
      {}, d, [](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.select(kInbox);
      });
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::transient);
  CHECK(error->context() == "source imaps://ann@mail.example, folder INBOX");
}

TEST_CASE("providers 24: a header that comes folded otherwise than in its message is the same") {
  const std::string whole =
      "Message-ID: <1@x>\r\nDate: Mon, 7 Nov 2016 10:11:12 +0100\r\nSubject: a long\r\n\tsubject "
      "of\r\n two lines\r\nReceived: from a\r\n\tby b\r\n\r\ntext";
  const std::string told =
      "Received: from a by b\r\nSubject: a long subject\r\n of two lines\r\n"
      "Date:  Mon, 7 Nov 2016 10:11:12 +0100\r\nMessage-ID: <1@x>\r\n\r\n";
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.c("A5 UID FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO RECEIVED)])");
  d.raw(
      fmt::format("* 1 FETCH (UID 1 BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO "
                  "RECEIVED)] {{{}}}\r\n{})\r\n",
                  told.size(), told));
  d.s("A5 OK");
  std::vector<HeaderEntry> headers;
  const auto error = with_source(
      {}, d, [&](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.select(kInbox);
        std::vector<MessageKey> keys{MessageKey(Uid{1})};
        headers = co_await session.headers(std::move(keys));
      });
  CHECK(!error);
  REQUIRE(headers.size() == 1);
  CHECK(header_hash(headers[0].fields) == header_hash(header_fields(whole)));
}

TEST_CASE("providers 25: Courier is read by SELECT, below its prefix, and asked for UIDNEXT") {
  Provider courier;
  courier.greeting = "Courier-IMAP ready.";
  courier.namespaces = "((\"INBOX.\" \".\")) NIL NIL";
  courier.listing = {"* LIST () \".\" INBOX", "* LIST () \".\" INBOX.Sent"};
  Dialogue d;
  d.c("A4 SELECT \"INBOX.Sent\"").s("* 3 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("A4 OK");
  d.c("A5 STATUS \"INBOX.Sent\" (UIDNEXT UIDVALIDITY)");
  d.s("* STATUS INBOX.Sent (UIDNEXT 12 UIDVALIDITY 7)").s("A5 OK");
  FolderNumbers numbers;
  with_source(courier, d,
              [&](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
                numbers = co_await session.select(FolderName({"Sent"}));
              });
  CHECK(numbers.uid_next == 12);
  CHECK(numbers.uid_validity == 7);
}

TEST_CASE("providers 27, 37: an absurd date gives way to the header's, newest Received first") {
  const std::string received = "Received: by x; Sun, 09 Sep 2001 01:46:45 +0000\r\n";
  const std::string date = "Date: Sun, 09 Sep 2001 01:46:40 +0000\r\n";
  struct Case {
    std::string internal, header, told;
  };
  const Case given = GENERATE_COPY(
      Case{"00-Jan-0000 00:00:00 +0000", received + date, "@1000000005"},
      Case{" 1-Jan-1970 00:00:00 +0000", received + date, "@1000000005"},
      Case{" 1-Jan-1980 00:00:00 +0000", date, "@1000000000"},
      Case{" 1-Jan-2080 00:00:00 +0000", "Received: by x; nonsense\r\n" + date, "@1000000000"},
      Case{" 1-Jan-1970 00:00:00 +0000", "Subject: none\r\n", ""});
  const std::string internal = fmt::format(" INTERNALDATE \"{}\"", given.internal);
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3" + internal + ")"}));
  d.c(std::string("A6 UID FETCH 1 ") + kItems);
  d.raw(body_line(1, given.header + "\r\n", internal)).s("A6 OK");
  CHECK(read_all({}, d).told == "1()" + given.told + "='" + given.header + "\r\n' ");
}

TEST_CASE("providers 37: an absurd date hides no mail from --since: the catalogue has none") {
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.then(
      lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3 INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\")"}));
  bool dated = true;
  with_source({}, d, [&](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
    co_await session.select(kInbox);
    const Catalogue catalogue = co_await session.catalogue();
    dated = catalogue[0].date.has_value();
  });
  CHECK(!dated);
}

TEST_CASE("providers 29: a literal without its length ends the session, and says what came") {
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3)"}));
  d.c(std::string("A6 UID FETCH 1 ") + kItems).raw("* 1 FETCH (UID 1 BODY[] {}\r\nabc)\r\n");
  const Read read = read_all({}, d);
  REQUIRE(read.error);
  CHECK(read.error->kind() == ErrorKind::protocol);
  CHECK(read.error->message().find("a literal without its size") != std::string::npos);
}

TEST_CASE("providers 29: files of UW's home folder that are no mailboxes fail one by one") {
  Provider uw;
  uw.greeting = "IMAP4rev1 2007e.404 at Tue";
  uw.listing = {"* LIST (\\NoInferiors) \"/\" .bashrc", "* LIST () \"/\" mail/Sent",
                "* STATUS mail/Sent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1)"};
  Dialogue d;
  d.c("A4 EXAMINE \".bashrc\"").s("A4 NO EXAMINE failed: not a mailbox");
  d.c("A5 EXAMINE \"mail/Sent\"").s("* 0 EXISTS").s("* OK [UIDVALIDITY 1] ok");
  d.s("* OK [UIDNEXT 1] ok").s("A5 OK");
  std::optional<Error> refused;
  const auto error = with_source(
      uw, d, [&](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
        refused = co_await failure_of(drop_value(session.select(FolderName({".bashrc"}))));
        co_await session.select(FolderName({"mail", "Sent"}));
      });
  CHECK(!error);
  REQUIRE(refused);
  CHECK(refused->kind() == ErrorKind::rejected);
}

TEST_CASE(
    "providers 36: names raw, lone, encoded or with a delimiter inside stay apart and usable") {
  Provider odd;
  odd.listing = {"* LIST () \".\" \"caf\xE9\"", "* LIST () \".\" \"R & D\"",
                 "* LIST () \".\" \"a&AC8-b\"", "* LIST () \".\" \"a/b\"",
                 "* LIST () NIL \"v1.2\""};
  odd.namespaces = "((\"\" \".\")) NIL NIL";
  std::vector<std::string> names;
  Mapping mapping;
  Dialogue d;
  d.c("A4 EXAMINE \"a/b\"").s("* 0 EXISTS").s("* OK [UIDVALIDITY 1] ok");
  d.s("* OK [UIDNEXT 1] ok").s("A4 OK");
  with_source(odd, d,
              [&](Source&, SourceSession& session, std::vector<FolderInfo> folders) -> Task<void> {
                MappingRequest request;
                request.traits.delimiter = '.';
                request.traits.slash_in_names = false;
                request.source = folders;
                mapping = map_folders(request);
                co_await session.select(FolderName({"a/b"}));
              });
  for (const MappedFolder& folder : mapping.folders)
    names.push_back(folder.source.name.to_string() + " -> " + folder.target.to_string());
  const std::string mark = mark_of("a&AC8-b");
  CHECK(names == std::vector<std::string>{"R & D -> R & D", "a%2Fb -> a_b",
                                          "a%2Fb" + mark + " -> a_b" + mark,
                                          "caf\u00e9 -> caf\u00e9", "v1.2 -> v1_2"});
  CHECK(mapping.notes.size() == 3);
}

TEST_CASE("providers 38: what came is compared with what was asked, and the rest asked for alone") {
  Dialogue d = opens("A4", "EXAMINE", 3);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3)", "* 2 FETCH (UID 2 RFC822.SIZE 3)",
                      "* 3 FETCH (UID 3 RFC822.SIZE 3)"}));
  d.c(std::string("A6 UID FETCH 1:3 ") + kItems);
  d.s("* 1 FETCH (UID 1 BODY[] NIL)").raw(body_line(8, "stranger")).raw(body_line(3, "abc"));
  d.s("A6 OK");
  d.c("A7 NOOP").s("A7 OK").c("A8 UID FETCH 1:2 (UID)").s("* 1 FETCH (UID 1)").s("A8 OK");
  d.c(std::string("A9 UID FETCH 1 ") + kItems).raw(body_line(1, "one")).s("A9 OK");
  CHECK(read_all({}, d).told == "3()='abc' 1()='one' 2 gone ");
}

TEST_CASE("providers 38: a listing shorter than EXISTS is asked for again, and never believed") {
  Dialogue d = opens("A4", "EXAMINE", 2);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 3)"}));
  d.c("A6 NOOP").s("A6 OK");
  d.then(lists("A7", {"* 1 FETCH (UID 1 RFC822.SIZE 3)"}));
  d.c("A8 UID SEARCH ALL").s("* SEARCH 1").s("A8 OK");
  const Read read = read_all({}, d);
  REQUIRE(read.error);
  CHECK(read.error->message() == "the server says the folder has 2 messages but lists only 1");
}

TEST_CASE("providers 40: sizes above 4 GiB are read and written as they are") {
  Dialogue d = opens("A4", "EXAMINE", 1);
  d.then(lists("A5", {"* 1 FETCH (UID 1 RFC822.SIZE 5368709120)"}));
  std::uint64_t size = 0;
  with_source({}, d, [&](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
    co_await session.select(kInbox);
    const Catalogue catalogue = co_await session.catalogue();
    size = catalogue.size_bytes(0);
  });
  CHECK(size == 5'368'709'120);
}
