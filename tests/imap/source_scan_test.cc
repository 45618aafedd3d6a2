// Opening a folder and reading it without bodies: what a server leaves out, cuts short or repeats.
#include <catch2/catch.hpp>

#include "connectors/imap/look.h"
#include "connectors/imap/scan.h"
#include "connectors/imap/selected.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

std::string shown(const Catalogue& catalogue) {
  std::string text;
  for (std::size_t i = 0; i < catalogue.size(); ++i) {
    const Catalogue::Entry entry = catalogue[i];
    text += fmt::format("{}:{}{} ", entry.key.uid().value, entry.size_bytes,
                        entry.flags->empty() ? "" : "(" + entry.flags->to_string() + ")");
  }
  return text;
}

std::string catalogue_by(const Dialogue& dialogue, std::uint64_t exists,
                         std::optional<Error>* error = nullptr) {
  std::string text;
  converse(dialogue, logged_in({}, [&](Session& session) -> Task<void> {
             try {
               const Catalogue catalogue = co_await read_catalogue(session, exists);
               text = shown(catalogue);
             } catch (const Error& failure) {
               if (!error) throw;
               *error = failure;
             }
           }));
  return text;
}

Selected open_by(const Dialogue& dialogue, Access access, bool courier = false) {
  Selected folder;
  converse(dialogue, logged_in({}, [&](Session& session) -> Task<void> {
             session.quirks.select_not_examine = courier;
             folder = co_await open_folder(session, FolderName({"Box"}), "Box", access);
           }));
  return folder;
}

}  // namespace

TEST_CASE("a folder is opened for reading by EXAMINE, and its numbers are those of that moment") {
  Dialogue d;
  d.c("A1 EXAMINE \"Box\"").s("* 9 EXISTS").s("* OK [CLOSED] the other one").s("* 3 EXISTS");
  d.s("* OK [UIDVALIDITY 5] ok").s("* OK [UIDNEXT 8] ok").s("* OK [HIGHESTMODSEQ 99] ok");
  d.s("* OK [PERMANENTFLAGS ()] none").s("A1 OK [READ-ONLY] done");
  const Selected folder = open_by(d, Access::read);
  CHECK(folder.numbers.messages == 3);
  CHECK(folder.numbers.uid_validity == 5);
  CHECK(folder.numbers.uid_next == 8);
  CHECK(folder.numbers.highest_modseq == 99);
}

TEST_CASE("on Courier SELECT is used, and UIDNEXT is asked for") {
  Dialogue d;
  d.c("A1 SELECT \"Box\"").s("* 3 EXISTS").s("* OK [UIDVALIDITY 5] ok").s("A1 OK [READ-WRITE]");
  d.c("A2 STATUS \"Box\" (UIDNEXT UIDVALIDITY)").s("* STATUS Box (UIDNEXT 8 UIDVALIDITY 6)");
  d.s("A2 OK");
  const Selected folder = open_by(d, Access::read, true);
  CHECK(folder.numbers.uid_next == 8);
  CHECK(folder.numbers.uid_validity == 5);
}

TEST_CASE("a server that says LIMIT when a folder is opened or listed is waited for") {
  const bool opening = GENERATE(true, false);
  Dialogue d;
  if (opening) d.c("A1 EXAMINE \"Box\"").s("A1 NO [LIMIT] Too much work just now");
  if (!opening)
    d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)").s("A1 NO [LIMIT] not so fast");
  std::optional<Error> error;
  converse(d, logged_in({}, [&](Session& session) -> Task<void> {
             if (opening) {
               error = co_await failure_of(
                   drop_value(open_folder(session, FolderName({"Box"}), "Box", Access::read)));
             } else {
               error = co_await failure_of(drop_value(
                   session.succeed(co_await session.send(session.command("UID FETCH")
                                                             .raw("1:*")
                                                             .raw("(UID FLAGS RFC822.SIZE "
                                                                  "INTERNALDATE)")
                                                             .finish()),
                                   "FETCH")));
             }
           }));
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::throttled);
}

TEST_CASE("a read-only folder cannot be filled") {
  Dialogue d;
  d.c("A1 SELECT \"Box\"").s("* 0 EXISTS").s("A1 OK [READ-ONLY] look, do not touch");
  std::optional<Error> error;
  converse(d, logged_in({}, [&](Session& session) -> Task<void> {
             error = co_await failure_of(
                 drop_value(open_folder(session, FolderName({"Box"}), "Box", Access::write)));
           }));
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::rejected);
  CHECK(error->context() == "target imaps://ann@new.example, folder Box");
}

TEST_CASE("an empty folder is not asked for its messages") {
  CHECK(catalogue_by(Dialogue(), 0).empty());
}

TEST_CASE("a catalogue is sorted by UID, each once, whatever the server's order") {
  Dialogue d;
  d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 2 FETCH (UID 20 RFC822.SIZE 200 FLAGS (\\Seen $Work) INTERNALDATE \" 1-Jan-2020 00:00:00 "
      "+0000\")");
  d.s("* 1 FETCH (RFC822.SIZE 100 FLAGS (\\Recent) UID 10 INTERNALDATE \"00-Jan-0000 00:00:00 "
      "+0000\")");
  d.s("* 2 FETCH (UID 20 RFC822.SIZE 200 FLAGS (\\Seen $Work))");
  d.s("* 7 FETCH (FLAGS (\\Seen))").s("A1 OK");
  CHECK(catalogue_by(d, 2) == "10:100 20:200(\\Seen $Work) ");
}

TEST_CASE("fewer messages than EXISTS are asked for again, then by their UIDs, and none is lost") {
  Dialogue d;
  d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 RFC822.SIZE 100 FLAGS ())").s("A1 OK");
  d.c("A2 NOOP").s("A2 OK");
  d.c("A3 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 RFC822.SIZE 100 FLAGS ())").s("* 2 FETCH (UID 11 FLAGS (\\Seen))");
  d.s("A3 OK");
  d.c("A4 UID SEARCH ALL").s("* SEARCH 10 11 12 13").s("A4 OK");
  d.c("A5 UID FETCH 11:13 (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 3 FETCH (UID 12 RFC822.SIZE 300 FLAGS (\\Seen))").s("A5 OK");
  CHECK(catalogue_by(d, 4) == "10:100 11:0(\\Seen) 12:300(\\Seen) 13:0 ");
}

TEST_CASE("a message of which only the flags are listed has its size and date asked for") {
  Dialogue d;
  d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 FLAGS (\\Seen))").s("A1 OK");
  d.c("A2 NOOP").s("A2 OK");
  d.c("A3 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 FLAGS (\\Seen))").s("A3 OK");
  d.c("A4 UID SEARCH ALL").s("* SEARCH 10").s("A4 OK");
  d.c("A5 UID FETCH 10 (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 RFC822.SIZE 100 FLAGS (\\Seen))").s("A5 OK");
  CHECK(catalogue_by(d, 1) == "10:100(\\Seen) ");
}

TEST_CASE("messages that were expunged meanwhile are not missed") {
  Dialogue d;
  d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 RFC822.SIZE 100 FLAGS ())").s("* 2 EXPUNGE").s("A1 OK");
  CHECK(catalogue_by(d, 2) == "10:100 ");
}

TEST_CASE("a folder of which the server hides a part is an error, not a smaller folder") {
  Dialogue d;
  d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)").s("A1 OK");
  d.c("A2 NOOP").s("A2 OK");
  d.c("A3 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)").s("A3 OK");
  d.c("A4 UID SEARCH ALL").s("* SEARCH 10").s("A4 OK");
  d.c("A5 UID FETCH 10 (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 RFC822.SIZE 100 FLAGS ())").s("A5 OK");
  std::optional<Error> error;
  catalogue_by(d, 2, &error);
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::protocol);
}

TEST_CASE("a range that a few bytes name is not believed to be millions of messages") {
  Dialogue d;
  d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)").s("A1 OK");
  d.c("A2 NOOP").s("A2 OK");
  d.c("A3 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)").s("A3 OK");
  d.c("A4 UID SEARCH ALL").s("* ESEARCH (TAG \"A4\") UID ALL 1:16000000").s("A4 OK");
  std::optional<Error> error;
  catalogue_by(d, 16'000'000, &error);
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::protocol);
  CHECK(error->message().find("lists only 0") != std::string::npos);
}

TEST_CASE("an answer cut short by MESSAGELIMIT is continued below") {
  Dialogue d;
  d.c("A1 UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 3 FETCH (UID 30 RFC822.SIZE 3 FLAGS ())").s("* 2 FETCH (UID 20 RFC822.SIZE 2 FLAGS ())");
  d.s("A1 OK [MESSAGELIMIT 2 20] not all");
  d.c("A2 UID FETCH 1:19 (UID FLAGS RFC822.SIZE INTERNALDATE)");
  d.s("* 1 FETCH (UID 10 RFC822.SIZE 1 FLAGS ())").s("A2 OK");
  CHECK(catalogue_by(d, 3) == "10:1 20:2 30:3 ");
}

TEST_CASE("looking at a target from a UID ignores the last message below it") {
  Dialogue d;
  d.c("A2 EXAMINE \"INBOX\"").c("A1 UID FETCH 50:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
  d.s("* 2 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("A2 OK");
  d.s("* 2 FETCH (UID 49 RFC822.SIZE 3 FLAGS ())").s("A1 OK");
  d.c("A4 EXAMINE \"INBOX\"").c("A3 UID FETCH 50:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
  d.s("* 3 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("A4 OK");
  d.s("* 3 FETCH (UID 50 RFC822.SIZE 3 FLAGS (\\Seen) INTERNALDATE \" 1-Jan-1970 01:00:10 "
      "+0100\")");
  d.s("A3 OK");
  std::vector<TargetEntry> first, second;
  converse(d, in_open_folder([&](Party& party) -> Task<void> {
             first = co_await look_from(party, Uid{50});
             second = co_await look_from(party, Uid{50});
           }));
  CHECK(first.empty());
  REQUIRE(second.size() == 1);
  CHECK(second[0].uid == Uid{50});
  CHECK(second[0].size_bytes == 3);
  CHECK(second[0].date == InternalDate{10, 60});
  CHECK(second[0].flags.system == Flags::seen);
}

TEST_CASE("what is told of a message in several answers is one message on the target") {
  Dialogue d;
  d.c("A2 EXAMINE \"INBOX\"").c("A1 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
  d.s("* 3 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("A2 OK");
  d.s("* 2 FETCH (UID 20 FLAGS (\\Flagged))");  // before it is told as a whole, and after
  d.s("* 2 FETCH (UID 20 RFC822.SIZE 2 FLAGS (\\Draft) INTERNALDATE \" 1-Jan-1970 00:00:10 "
      "+0000\")");
  d.s("* 1 FETCH (UID 10 RFC822.SIZE 1 FLAGS () INTERNALDATE \" 1-Jan-1970 00:00:10 +0000\")");
  d.s("* 1 FETCH (UID 10 FLAGS (\\Seen))");
  d.s("* 3 FETCH (UID 30 RFC822.SIZE 3)").s("* 3 FETCH (UID 30 FLAGS (\\Answered))").s("A1 OK");
  std::vector<TargetEntry> seen;
  converse(d, in_open_folder(
                  [&](Party& party) -> Task<void> { seen = co_await look_from(party, Uid{1}); }));
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].uid == Uid{10});
  CHECK(seen[0].size_bytes == 1);
  CHECK(seen[0].date == InternalDate{10, 0});
  CHECK(seen[0].flags.system == Flags::seen);
  CHECK(seen[1].flags.system == Flags::draft);
  CHECK(seen[2].size_bytes == 3);
  CHECK(seen[2].date == std::nullopt);
  CHECK(seen[2].flags.system == Flags::answered);
}

TEST_CASE("header fields come for those that are there, short or long") {
  const std::string shorter = "Message-ID: <1@x>\r\nSubject: one\r\n two\r\n\r\n";
  const std::string longer =
      "Subject: long\r\nReceived: from a; b\r\nReceived: c\r\nTo: " + std::string(20'000, 'x') +
      "\r\n\r\n";
  Dialogue d;
  d.c("A1 UID FETCH 3,5:6 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO "
      "RECEIVED)])");
  const std::string name = "BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO RECEIVED)]";
  d.raw(fmt::format("* 1 FETCH (UID 3 {} {{{}}}\r\n{})\r\n", name, shorter.size(), shorter));
  d.raw(fmt::format("* 2 FETCH ({} {{{}}}\r\n{} UID 5)\r\n", name, longer.size(), longer));
  d.s("* 9 FETCH (UID 9 BODY[HEADER.FIELDS (SUBJECT)] \"\")").s("A1 OK");
  d.c("A2 UID FETCH 6 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO RECEIVED)])");
  d.s("A2 OK");  // it has gone
  std::vector<HeaderEntry> entries;
  converse(d, logged_in({}, [&](Session& session) -> Task<void> {
             std::vector<Uid> uids{Uid{5}, Uid{3}, Uid{6}, Uid{5}};
             entries = co_await read_headers(session, std::move(uids));
           }));
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].key == MessageKey(Uid{3}));
  CHECK(entries[0].fields.message_id == "<1@x>");
  CHECK(entries[1].key == MessageKey(Uid{5}));
  CHECK(entries[1].fields.subject == "long");
  CHECK(entries[1].fields.received == "from a; b");
  CHECK(entries[1].fields.to->size() == 20'000);
}
