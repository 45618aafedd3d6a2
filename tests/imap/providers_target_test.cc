// What real servers do when they are written to, line by line of the list of providers.
#include <catch2/catch.hpp>

#include "connectors/imap/codec/append.h"
#include "connectors/imap/errors.h"
#include "engine/mapping.h"
#include "engine/settle/match.h"
#include "tests/imap/port_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

const FolderName kInbox({"INBOX"});
using Messages = std::vector<std::pair<std::string, std::string>>;

struct Appended {
  std::string told;
  std::uint64_t flags_dropped = 0;
  std::optional<Error> error;
};

/// Selects INBOX as A4 and appends from A5 on.
Appended append(const Provider& provider, const Dialogue& script, const Messages& messages,
                const std::string& select_says = "* OK [UIDVALIDITY 7] ok") {
  Appended appended;
  Dialogue d = opens("A4", "SELECT", 0, select_says);
  d.then(script);
  appended.error =
      with_target(provider, d, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
        appended = {};
        co_await session.select(kInbox);
        OneBatch feed(messages);
        std::optional<Error> error;
        try {
          co_await session.append(feed);
        } catch (const Error& thrown) {
          error = thrown;
        }
        appended.told = feed.told;
        appended.flags_dropped = session.flags_dropped();
        if (error) throw *error;
      });
  return appended;
}

TargetTraits traits_by(const Provider& provider) {
  TargetTraits traits;
  with_target(provider, {}, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
    traits = session.traits();
    co_return;
  });
  return traits;
}

std::string fitted(const Provider& provider, FolderName name) {
  MappingRequest request;
  request.traits = traits_by(provider);
  FolderInfo folder;
  folder.name = std::move(name);
  request.source.push_back(std::move(folder));
  return map_folders(request).folders.at(0).target.to_string();
}

Provider gmail() {
  Provider gmail;
  gmail.greeting = "Gimap ready for requests from 192.0.2.1";
  gmail.capabilities = "X-GM-EXT-1 UIDPLUS";
  return gmail;
}

Provider exchange() {
  Provider exchange;
  exchange.greeting = "The Microsoft Exchange IMAP4 service is ready.";
  exchange.capabilities = "UIDPLUS LITERAL+";
  return exchange;
}

}  // namespace

TEST_CASE(
    "providers 4, 5: Gmail folds duplicates, and its All Mail is the place for archived mail") {
  Provider provider = gmail();
  provider.listing = {"* LIST () \"/\" INBOX", "* LIST (\\All) \"/\" \"[Gmail]/Alle Nachrichten\""};
  CHECK(traits_by(provider).folds_duplicates);
  MappingRequest request;
  FolderInfo all;
  all.name = FolderName({"[Gmail]", "All Mail"});
  all.role = Role::all;
  all.holds_rest = true;
  request.source = {all};
  with_target(provider, {}, [&](TargetSession&, std::vector<FolderInfo> folders) -> Task<void> {
    request.target = std::move(folders);
    co_return;
  });
  CHECK(map_folders(request).folders.at(0).target.to_string() == "[Gmail]/Alle Nachrichten");
  FolderInfo archive;
  archive.name = FolderName({"Archiv"});
  archive.role = Role::archive;
  request.target = {archive};
  CHECK(map_folders(request).folders.at(0).target.to_string() == "Archiv");
  request.source[0].holds_rest = false;
  CHECK(map_folders(request).folders.empty());
  CHECK(map_folders(request).left_out.size() == 1);
}

TEST_CASE(
    "providers 6: a name for Gmail has no blanks at its ends, no two in a row, and no caret") {
  CHECK(fitted(gmail(), FolderName({" a  b ", "c ^ d"})) == "a b/c _ d");
  CHECK(fitted(gmail(), FolderName({"   "})) == "_");
  CHECK(fitted({}, FolderName({" a  b "})) == " a  b ");
}

TEST_CASE("providers 7: a NUL is never sent to Gmail, which would hang up") {
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" {2}").s("+ go").c("ok").s("A5 OK [APPENDUID 7 1]");
  const Appended appended = append(gmail(), d, {{std::string("a\0b", 3), ""}, {"ok", ""}});
  CHECK(!appended.error);
  CHECK(appended.told == "'the message holds a NUL byte, which this server never takes' 1 ");
}

TEST_CASE("providers 8: \\Deleted is left out for Gmail, which would hide the message at once") {
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" (\\Seen) {1}").s("+ go").c("a").s("A5 OK [APPENDUID 7 1]");
  const Appended appended = append(gmail(), d, {{"a", "\\Seen \\Deleted"}});
  CHECK(appended.told == "1 ");
  CHECK(appended.flags_dropped == 1);
  CHECK(traits_by(gmail()).hides_deleted);
}

TEST_CASE("providers 9: a throttled APPEND on Exchange ends the feed with the delay it names") {
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" {1+}").c("a");
  d.s("A5 BAD Request is throttled. Suggested Backoff Time: 1500 milliseconds").hangs_up();
  const Appended appended = append(exchange(), d, {{"a", ""}});
  REQUIRE(appended.error);
  CHECK(appended.error->kind() == ErrorKind::throttled);
  CHECK(appended.error->retry_after() == std::chrono::milliseconds(1500));
}

TEST_CASE("providers 11: what Exchange calls an argument error is tried once more, then refused") {
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" {4+}").c("long").c("A6 APPEND \"INBOX\" {2+}").c("ok");
  d.s("A5 BAD Command Argument Error. 11").s("A6 OK [APPENDUID 7 1]");
  d.c("A7 APPEND \"INBOX\" {4}").s("+ go").c("long").s("A7 BAD Command Argument Error. 11");
  const Appended appended = append(exchange(), d, {{"long", ""}, {"ok", ""}});
  CHECK(!appended.error);
  CHECK(appended.told == "'Command Argument Error. 11' 1 ");
}

TEST_CASE("providers 12: Exchange is known to make messages anew, Dovecot not to") {
  Provider dovecot;
  dovecot.greeting = "Dovecot ready.";
  CHECK(traits_by(exchange()).regenerates);
  CHECK(!traits_by(dovecot).regenerates);
}

TEST_CASE("providers 14: \\Flagged is stored after APPEND on Exchange, and only there") {
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" (\\Seen \\Flagged) {1+}").c("a").c("A6 APPEND \"INBOX\" {1+}").c("b");
  d.s("A5 OK [APPENDUID 7 4]").s("A6 OK [APPENDUID 7 5]");
  d.c("A7 UID STORE 4 +FLAGS.SILENT (\\Flagged)").s("A7 OK");
  CHECK(append(exchange(), d, {{"a", "\\Seen \\Flagged"}, {"b", ""}}).told == "4 5 ");
  Dialogue other;
  other.c("A5 APPEND \"INBOX\" (\\Flagged) {1}").s("+").c("a").s("A5 OK");
  CHECK(append({}, other, {{"a", "\\Flagged"}}).told == "0 ");
}

TEST_CASE("providers 15: Exchange's reserved name, case and slash are reckoned with") {
  CHECK(fitted(exchange(), FolderName({"Files", "Files"})) == "Files_/Files");
  CHECK(fitted(exchange(), FolderName({"2019/2020"})) == "2019_2020");
  CHECK(traits_by(exchange()).names_ignore_case);
  CHECK(fitted({}, FolderName({"Files"})) == "Files");
}

TEST_CASE("providers 18: a rate limit on APPEND means wait, a limit of the message refuses it") {
  Dialogue wait;
  wait.c("A5 APPEND \"INBOX\" {1}").s("A5 NO [LIMIT] APPEND Rate limit hit.");
  const Appended throttled = append({}, wait, {{"a", ""}});
  REQUIRE(throttled.error);
  CHECK(throttled.error->kind() == ErrorKind::throttled);
  Dialogue refuse;
  refuse.c("A5 APPEND \"INBOX\" {1}").s("A5 NO [LIMIT] too many headers");
  CHECK(append({}, refuse, {{"a", ""}}).told == "'[LIMIT] too many headers' ");
}

TEST_CASE("providers 19, 26: a message without final CRLF, or broken, is refused in their words") {
  for (const char* words : {"APPEND Literal must end in CRLF", "Message contains bare newlines",
                            "Message contains invalid header"}) {
    Dialogue d;
    d.c("A5 APPEND \"INBOX\" {3}").s("+").c("a\nb").s(fmt::format("A5 NO {}", words));
    d.c("A6 APPEND \"INBOX\" {1}").s("+").c("b").s("A6 OK");
    CHECK(append({}, d, {{"a\nb", ""}, {"b", ""}}).told == fmt::format("'{}' 0 ", words));
  }
}

TEST_CASE("providers 21: without UIDNEXT in STATUS, it is behind the last message") {
  Dialogue d = opens("A4", "SELECT", 2);
  d.c("A5 NOOP").c("A6 STATUS \"INBOX\" (UIDNEXT)").s("A5 OK").s("* STATUS INBOX ()").s("A6 OK");
  d.c("A7 UID FETCH * (UID)").s("* 2 FETCH (UID 20)").s("A7 OK");
  Uid next;
  const auto error =
      with_target({}, d, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.select(kInbox);
        next = co_await session.uid_next();
      });
  CHECK(!error);
  CHECK(next == Uid{21});
}

TEST_CASE("providers 23: the day is written with two digits, as Yandex and Zimbra want it") {
  AppendMessage message;
  message.date = DateTime{1478509872, 60};
  message.size = 1;
  CHECK(append_head("A1", "INBOX", message, LiteralMode::kSynchronising).pieces[0].bytes ==
        "A1 APPEND \"INBOX\" \"07-Nov-2016 10:11:12 +0100\" {1}\r\n");
}

TEST_CASE(
    "providers 25, 41: what was appended is seen when the folder is opened again, below Courier's "
    "prefix") {
  Provider courier;
  courier.greeting = "Courier-IMAP ready.";
  courier.namespaces = "((\"INBOX.\" \".\")) NIL NIL";
  courier.listing = {"* LIST () \".\" INBOX"};
  Dialogue d;
  d.c("A4 CREATE \"INBOX.Old.2019\"").s("A4 OK");
  d.c("A5 SELECT \"INBOX.Old.2019\"").s("* 0 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("A5 OK");
  d.c("A6 STATUS \"INBOX.Old.2019\" (UIDNEXT UIDVALIDITY)");
  d.s("* STATUS INBOX.Old.2019 (UIDNEXT 1 UIDVALIDITY 7)").s("A6 OK");
  d.c("A8 SELECT \"INBOX.Old.2019\"");
  d.c("A7 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
  d.s("* 1 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("A8 OK");
  d.s("* 1 FETCH (UID 1 RFC822.SIZE 5)").s("A7 OK");
  std::size_t seen = 0;
  const auto error =
      with_target(courier, d, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.create(FolderName({"Old", "2019"}), Role::none);
        co_await session.select(FolderName({"Old", "2019"}));
        const std::vector<TargetEntry> entries = co_await session.look(Uid{1});
        seen = entries.size();
      });
  CHECK(!error);
  CHECK(seen == 1);
}

TEST_CASE("providers 26: Cyrus munges 8-bit headers, and some characters cannot be in its names") {
  Provider cyrus;
  cyrus.greeting = "mail Cyrus IMAP 3.6.1 server ready";
  CHECK(traits_by(cyrus).munges_8bit);
  CHECK(fitted(cyrus, FolderName({"100% \"sure\"", "a\\b"})) == "100_ _sure_/a_b");
}

TEST_CASE("providers 27: Domino's backslash, its INBOX without children, its Message-IDs") {
  Provider domino;
  domino.greeting = "Domino IMAP4 Server Release 9.0.1 ready";
  domino.namespaces = "((\"\" \"\\\\\")) NIL NIL";
  domino.listing = {"* LIST () \"\\\\\" INBOX"};
  CHECK(fitted(domino, FolderName({"INBOX", "Projects"})) == "Projects");
  CHECK(fitted(domino, FolderName({"a\\b", "c"})) == "a_b/c");
  CHECK(fitted({}, FolderName({"INBOX", "Projects"})) == "INBOX/Projects");
  const TargetTraits traits = traits_by(domino);
  HeaderFields ours, theirs;
  ours.message_id = "<1@old.example>";
  theirs.message_id = "<1@domino.example>";
  ours.subject = theirs.subject = "hello";
  const auto print = [](const HeaderFields& fields, const TargetTraits& of) {
    return likeness(as_target_tells(fields, of), 1, std::nullopt, 0).print;
  };
  CHECK(print(ours, traits) == print(theirs, traits));
  CHECK(print(ours, {}) != print(theirs, {}));
}

TEST_CASE("providers 28: a NUL goes to Dovecot in a literal8, where it survives") {
  Provider dovecot;
  dovecot.id = "(\"name\" \"Dovecot\")";
  dovecot.capabilities = "BINARY LITERAL+";
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" ~{3+}").bytes(std::string("a\0b\r\n", 5)).s("A5 OK");
  CHECK(append(dovecot, d, {{std::string("a\0b", 3), ""}}).told == "0 ");
}

TEST_CASE("providers 35: keywords go only where PERMANENTFLAGS takes them; \\Recent nowhere") {
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" (\\Seen known) {1}").s("+").c("a").s("A5 OK");
  const Appended appended =
      append({}, d, {{"a", "\\Seen \\Recent \\Odd known unknown"}},
             "* OK [PERMANENTFLAGS (\\Seen Known)] ok\r\n* OK [UIDVALIDITY 7] ok");
  CHECK(appended.told == "0 ");
  CHECK(appended.flags_dropped == 1);
}

TEST_CASE("providers 38: what a look at a target leaves out is asked for again") {
  const std::string look = "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)";
  const std::string list = "UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)";
  const bool comes = GENERATE(true, false);
  Dialogue d = opens("A4", "SELECT", 2);
  d.c("A6 SELECT \"INBOX\"").c("A5 " + look);
  d.s("* 2 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("* OK [UIDNEXT 100] ok").s("A6 OK");
  d.s("* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 3)").s("A5 OK");
  d.c("A7 " + list).s("* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 3)");
  if (comes) {
    d.s("* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 4)").s("A7 OK");
  } else {
    d.s("A7 OK").c("A8 NOOP").s("A8 OK").c("A9 " + list);
    d.s("* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 3)").s("A9 OK");
    d.c("A10 UID SEARCH ALL").s("* SEARCH 1").s("A10 OK");
  }
  std::size_t seen = 0;
  const auto error =
      with_target({}, d, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.select(kInbox);
        seen = (co_await session.look(Uid{1})).size();
      });
  CHECK(error.has_value() != comes);
  CHECK(seen == (comes ? 2 : 0));
}

TEST_CASE("providers 38: a header that an answer leaves out is asked for alone") {
  const std::string fields =
      " (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO "
      "RECEIVED)])";
  const auto header = [](int uid) {
    return fmt::format(
        "* {} FETCH (UID {} BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT TO RECEIVED)] "
        "{{14}}\r\nSubject: {}\r\n\r\n)\r\n",
        uid, uid, uid);
  };
  Dialogue d = opens("A4", "SELECT", 4);
  d.c("A5 UID FETCH 1:4" + fields).raw(header(1)).raw(header(3)).s("A5 OK");
  d.c("A6 UID FETCH 2" + fields).c("A7 UID FETCH 4" + fields);
  d.raw(header(2)).s("A6 OK").s("A7 OK");  // the last has gone
  std::vector<std::string> subjects;
  const auto error =
      with_target({}, d, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
        co_await session.select(kInbox);
        subjects.clear();
        std::vector<Uid> uids{Uid{1}, Uid{2}, Uid{3}, Uid{4}};
        for (const HeaderEntry& entry : co_await session.headers(std::move(uids)))
          subjects.push_back(entry.fields.subject.value_or(""));
      });
  CHECK(!error);
  CHECK(subjects == std::vector<std::string>{"1", "2", "3"});
}

TEST_CASE("providers 39: an APPEND refused for its keywords is repeated without them") {
  Dialogue d;
  d.c("A5 APPEND \"INBOX\" (\\Seen odd) {1}").s("+").c("a").s("A5 NO Invalid keyword");
  d.c("A6 APPEND \"INBOX\" (\\Seen) {1}").s("+").c("a").s("A6 OK");
  const Appended appended = append({}, d, {{"a", "\\Seen odd"}});
  CHECK(appended.told == "0 ");
  CHECK(appended.flags_dropped == 1);
}

TEST_CASE("providers 40: a message of 1.5 GiB is announced with all of its digits") {
  AppendMessage message;
  message.size = 5'368'709'120;
  CHECK(append_head("A1", "INBOX", message, LiteralMode::kLiteralPlus).pieces[0].bytes ==
        "A1 APPEND \"INBOX\" {5368709120+}\r\n");
}

TEST_CASE("providers 42: the last message, which n:* gives though it lies below n, is none") {
  Dialogue d = opens("A4", "SELECT", 1);
  d.c("A6 SELECT \"INBOX\"").c("A5 UID FETCH 10:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
  d.s("* 1 EXISTS").s("* OK [UIDVALIDITY 7] ok").s("* OK [UIDNEXT 10] ok").s("A6 OK");
  d.s("* 1 FETCH (UID 9 RFC822.SIZE 5)").s("A5 OK");
  std::size_t seen = 99;
  with_target({}, d, [&](TargetSession& session, std::vector<FolderInfo>) -> Task<void> {
    co_await session.select(kInbox);
    const std::vector<TargetEntry> entries = co_await session.look(Uid{10});
    seen = entries.size();
  });
  CHECK(seen == 0);
}
