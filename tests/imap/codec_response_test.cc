// Responses as values: every kind, as servers of the field write them.
#include <catch2/catch.hpp>

#include "tests/imap/split.h"

using namespace postferry::imap;
using namespace postferry::imap::testing;
using namespace std::string_literals;

namespace {

using Strings = std::vector<std::string>;

Response parse(const std::string& line) {
  const auto got = COLLECT_SPLIT(line + "\r\n");
  REQUIRE(got.size() == 1);
  return parse_response(got[0].frame());
}

template <typename T>
T parse_as(const std::string& line) {
  INFO(line);
  const Response response = parse(line);
  REQUIRE(std::holds_alternative<T>(response));
  return std::get<T>(response);
}

}  // namespace

TEST_CASE("A greeting is an untagged status with its code") {
  const auto got = parse_as<StatusResponse>("* OK [CAPABILITY IMAP4rev1 literal+] Dovecot ready.");
  CHECK_FALSE(got.tagged());
  CHECK(got.status == Status::kOk);
  REQUIRE(got.has(Code::kCapability));
  CHECK(code_capabilities(*got.code) == Strings{"IMAP4REV1", "LITERAL+"});
  CHECK(got.text == "Dovecot ready.");
  CHECK(got.words() == "[CAPABILITY IMAP4rev1 literal+] Dovecot ready.");
}

TEST_CASE("Every status is known, in any case, with or without text") {
  CHECK(parse_as<StatusResponse>("* PREAUTH hi").status == Status::kPreauth);
  CHECK(parse_as<StatusResponse>("* bye Session expired").status == Status::kBye);
  CHECK(parse_as<StatusResponse>("* BYE").text.empty());
  CHECK(parse_as<StatusResponse>("* BAD Request is throttled.").status == Status::kBad);
  CHECK(
      parse_as<StatusResponse>("* NO [ALERT] Too many simultaneous connections").has(Code::kAlert));
}

TEST_CASE("A tagged result carries its tag") {
  const auto got = parse_as<StatusResponse>("A12 NO [OVERQUOTA] Account exceeded limits");
  CHECK(got.tag == "A12");
  CHECK(got.status == Status::kNo);
  CHECK(got.has(Code::kOverQuota));
  CHECK(got.text == "Account exceeded limits");
  CHECK(parse_as<StatusResponse>("A1 OK").text.empty());
}

TEST_CASE("A tagged line without a status is an error") {
  for (const auto* line : {"A1", "A1 FETCH done", "A1  ", "garbage", "A1 OKAY", ")", "(a b)",
                           "\"x\"", "\x01", "A1 12 EXISTS"}) {
    INFO(line);
    CHECK_THROWS_AS(parse(line), ProtocolError);
  }
}

TEST_CASE("A bracket inside a code's parentheses does not end it") {
  const auto got = parse_as<StatusResponse>("* OK [PERMANENTFLAGS (\\Seen a]b \\*)] Limited");
  REQUIRE(got.has(Code::kPermanentFlags));
  CHECK(code_flags(*got.code) == Strings{"\\Seen", "a]b", "\\*"});
  CHECK(got.text == "Limited");
}

TEST_CASE("A code that never closes its parenthesis or itself is survived") {
  CHECK(parse_as<StatusResponse>("* OK [X (a] text").text == "text");
  const auto open = parse_as<StatusResponse>("* OK [X no end");
  CHECK_FALSE(open.code);
  CHECK(open.text == "[X no end");
}

TEST_CASE("A continuation may be bare, or hold a challenge") {
  CHECK(parse_as<Continuation>("+").text.empty());
  CHECK(parse_as<Continuation>("+ ").text.empty());
  CHECK(parse_as<Continuation>("+ eyJzdGF0dXMiOiI0MDEifQ==").text == "eyJzdGF0dXMiOiI0MDEifQ==");
  CHECK(parse_as<Continuation>("+ {5}").text == "{5}");
}

TEST_CASE("CAPABILITY and ENABLED are words in upper case") {
  CHECK(parse_as<CapabilityData>("* CAPABILITY IMAP4rev1 AUTH=PLAIN AppendLimit=35651584 ").names ==
        Strings{"IMAP4REV1", "AUTH=PLAIN", "APPENDLIMIT=35651584"});
  CHECK(parse_as<EnabledData>("* ENABLED CONDSTORE").names == Strings{"CONDSTORE"});
  CHECK(parse_as<EnabledData>("* ENABLED").names.empty());
}

TEST_CASE("LIST gives attributes, delimiter and the raw name") {
  const auto got = parse_as<ListData>("* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent &AOk-\"");
  CHECK(got.kind == ListData::Kind::kList);
  CHECK(got.attributes == Strings{"\\HasNoChildren", "\\Sent"});
  CHECK(got.delimiter == '/');
  CHECK(got.name == "Sent &AOk-");
  CHECK(got.children() == ChildInfo::kHasNoChildren);
  CHECK(got.special_use() == "\\Sent");
  CHECK(got.selectable());
}

TEST_CASE("A folder name may come as atom, quoted string, literal or neither") {
  const auto name = [](const std::string& line) { return parse_as<ListData>(line).name; };
  CHECK(name("* LIST () \"/\" INBOX") == "INBOX");
  CHECK(name("* LIST () \"/\" \"\"") == "");
  CHECK(name("* LIST () \"/\" NIL") == "NIL");
  CHECK(name("* LIST () \"/\" \"a\\\"b\\\\c\"") == "a\"b\\c");
  CHECK(name("* LIST () \"/\" {5}\r\na\r\n\"b") == "a\r\n\"b");
  CHECK(name("* LIST () \"/\" {0}\r\n") == "");
  CHECK(name("* LIST () \"/\" Gesendete Objekte") == "Gesendete Objekte");
  CHECK(name("* LIST () \"/\" Foo (old)") == "Foo (old)");
  CHECK(name("* LIST () \"/\" \"Foo (old)\"") == "Foo (old)");
  CHECK(name("* LIST () \"/\" a(b)") == "a(b)");
  CHECK(name("* LIST () \"/\" \"say \"hi\" twice\"") == "say \"hi\" twice");
  CHECK(name("* LIST () \"/\" Entw\xfcrfe") == "Entw\xfcrfe");
  CHECK(name("* LIST () \"/\" \"Mail\\Inbox\"") == "Mail\\Inbox");
  CHECK(name("* LIST () \"/\" [Gmail]/All Mail") == "[Gmail]/All Mail");
  CHECK(name("* LIST () \"/\" \"x\" ") == "x");
}

TEST_CASE("A delimiter may be missing, or a backslash doubled or not") {
  const auto delimiter = [](const std::string& line) { return parse_as<ListData>(line).delimiter; };
  CHECK(delimiter("* LIST () NIL foo") == std::nullopt);
  CHECK(delimiter("* LIST () \"\" foo") == std::nullopt);
  CHECK(delimiter("* LIST () \"\\\\\" foo") == '\\');
  CHECK(delimiter("* LIST () \"\\\" foo") == '\\');
  CHECK(delimiter("* LIST () \"\\\" \"foo\"") == '\\');
  CHECK(delimiter("* LIST () . foo") == '.');
}

TEST_CASE("Extended LIST data is read, and unknown parts of it are skipped") {
  const auto got = parse_as<ListData>(
      "* LIST (\\NonExistent) \"/\" \"Foo\" (\"CHILDINFO\" (\"SUBSCRIBED\") OLDNAME (\"Bar\") "
      "\"X-NEW\" (a (b \"c)\") {2}\r\n()))");
  CHECK(got.name == "Foo");
  CHECK(got.child_info == Strings{"SUBSCRIBED"});
  CHECK(got.old_name == "Bar");
  CHECK_FALSE(got.selectable());
  CHECK(parse_as<ListData>("* LIST () \"/\" Foo (CHILDINFO (SUBSCRIBED))").name == "Foo");
}

TEST_CASE("LSUB and XLIST are kinds of LIST, and XLIST's roles are translated") {
  CHECK(parse_as<ListData>("* LSUB () \"/\" a").kind == ListData::Kind::kLsub);
  const auto got = parse_as<ListData>("* XLIST (\\HasNoChildren \\Spam) \"/\" \"Bulk\"");
  CHECK(got.kind == ListData::Kind::kXlist);
  CHECK(got.special_use() == "\\Junk");
  CHECK(parse_as<ListData>("* XLIST (\\Inbox) \"/\" INBOX").special_use().empty());
  CHECK(parse_as<ListData>("* LIST (\\drafts) \"/\" d").special_use() == "\\Drafts");
}

TEST_CASE("A malformed LIST is an error, since a folder would be overlooked") {
  for (const auto* line : {"* LIST", "* LIST ()", "* LIST () \"/\"", "* LIST () \"//\" a",
                           "* LIST (\\a \"/\" a", "* LIST x \"/\" a", "* LIST () \"/\" \"a"}) {
    INFO(line);
    CHECK_THROWS_AS(parse(line), ProtocolError);
  }
}

TEST_CASE("STATUS gives what the server gave") {
  const auto got = parse_as<StatusData>(
      "* STATUS \"Archive\" (MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 0 HIGHESTMODSEQ "
      "9223372036854775807 "
      "SIZE 1099511627776 UNSEEN 3 RECENT 1 DELETED 2 APPENDLIMIT NIL MAILBOXID (F2212ea8-6a) "
      "X-NEW (a (b)))");
  CHECK(got.name == "Archive");
  CHECK(got.messages == 231u);
  CHECK(got.uid_next == 44292u);
  CHECK(got.uid_validity == 0u);
  CHECK(got.highest_modseq == 9223372036854775807u);
  CHECK(got.size == 1099511627776u);
  CHECK(got.unseen == 3u);
  CHECK(got.recent == 1u);
  CHECK(got.deleted == 2u);
  CHECK_FALSE(got.append_limit);
  CHECK(got.mailbox_id == "F2212ea8-6a");
}

TEST_CASE("STATUS may lack items, and hold ones that are no numbers") {
  const auto got = parse_as<StatusData>("* STATUS INBOX (MESSAGES 5 RECENT -1 UIDVALIDITY 1 )");
  CHECK(got.messages == 5u);
  CHECK_FALSE(got.recent);
  CHECK_FALSE(got.uid_next);
  CHECK(parse_as<StatusData>("* STATUS {2}\r\na( ()").name == "a(");
}

TEST_CASE("A STATUS name with spaces may lack its quotes") {
  CHECK(parse_as<StatusData>("* STATUS My Folder (MESSAGES 1)").name == "My Folder");
  CHECK(parse_as<StatusData>("* STATUS My (old) Folder (MESSAGES 1)").name == "My (old) Folder");
  CHECK(parse_as<StatusData>("* STATUS \"a \"b\" c\" (MESSAGES 1)").name == "a \"b\" c");
  CHECK(parse_as<StatusData>("* STATUS \"x\"(MESSAGES 1)").messages == 1u);
}

TEST_CASE("A malformed STATUS is an error") {
  for (const auto* line :
       {"* STATUS", "* STATUS INBOX", "* STATUS INBOX (MESSAGES", "* STATUS a (MESSAGES 1) x"}) {
    INFO(line);
    CHECK_THROWS_AS(parse(line), ProtocolError);
  }
}

TEST_CASE("Counts go up to 32 bits and no further") {
  CHECK(parse_as<ExistsData>("* 4294967295 EXISTS").count == 4294967295u);
  CHECK(parse_as<RecentData>("* 0 RECENT ").count == 0);
  CHECK(parse_as<ExpungeData>("* 7 expunge").number == 7);
  for (const auto* line :
       {"* 4294967296 EXISTS", "* 1x EXPUNGE", "* 1 EXISTS 2", "* 99999999999 FETCH (UID 1)"}) {
    INFO(line);
    CHECK_THROWS_AS(parse(line), ProtocolError);
  }
}

TEST_CASE("VANISHED is a set of UIDs, never expanded") {
  const auto got = parse_as<VanishedData>("* VANISHED (EARLIER) 300:310,405,411:4294967295");
  CHECK(got.earlier);
  CHECK(got.uids.count() == 11u + 1 + 4294966885u);
  CHECK_FALSE(parse_as<VanishedData>("* VANISHED 1").earlier);
  CHECK_THROWS_AS(parse("* VANISHED"), ProtocolError);
  CHECK_THROWS_AS(parse("* VANISHED 1:*"), ProtocolError);
}

TEST_CASE("FLAGS keeps keywords of any shape") {
  CHECK(parse_as<FlagsData>("* FLAGS (\\Answered $Forwarded NonJunk \"odd one\" \\*)").flags ==
        Strings{"\\Answered", "$Forwarded", "NonJunk", "odd one", "\\*"});
  CHECK(parse_as<FlagsData>("* FLAGS ()").flags.empty());
  CHECK(parse_as<Unknown>("* FLAGS oops").raw == "* FLAGS oops");
}

TEST_CASE("SEARCH is numbers, and perhaps a MODSEQ") {
  CHECK(parse_as<SearchData>("* SEARCH").numbers.empty());
  const auto got = parse_as<SearchData>("* SEARCH 2 5 6 4294967295 (MODSEQ 917162500)");
  CHECK(got.numbers == std::vector<std::uint32_t>{2, 5, 6, 4294967295u});
  CHECK(got.modseq == 917162500u);
  CHECK_THROWS_AS(parse("* SEARCH 1 x"), ProtocolError);
  CHECK_THROWS_AS(parse("* SEARCH 4294967296"), ProtocolError);
}

TEST_CASE("ESEARCH gives its results in any order") {
  const auto got = parse_as<EsearchData>(
      "* ESEARCH (TAG \"A285\") UID MIN 7 MAX 3800 COUNT 15 ALL 4:18,21 MODSEQ 12 X-NEW (1 2)");
  CHECK(got.tag == "A285");
  CHECK(got.uid);
  CHECK(got.min == 7u);
  CHECK(got.max == 3800u);
  CHECK(got.count == 15u);
  REQUIRE(got.all);
  CHECK(got.all->to_string() == "4:18,21");
  CHECK(got.modseq == 12u);
}

TEST_CASE("ESEARCH may be empty, without tag, or partial") {
  CHECK_FALSE(parse_as<EsearchData>("* ESEARCH (TAG \"A1\") UID").all);
  CHECK(parse_as<EsearchData>("* ESEARCH UID ALL 1").tag.empty());
  CHECK(parse_as<EsearchData>("* ESEARCH").uid == false);
  const auto page =
      parse_as<EsearchData>("* ESEARCH (TAG \"A1\") UID PARTIAL (-1:-100 200:250,252)");
  REQUIRE(page.partial);
  CHECK(page.partial->count() == 52);
  const auto none = parse_as<EsearchData>("* ESEARCH (TAG \"A1\") UID PARTIAL (1:5 NIL)");
  REQUIRE(none.partial);
  CHECK(none.partial->empty());
  CHECK_THROWS_AS(parse("* ESEARCH (TAG \"A1\") ALL x"), ProtocolError);
}

TEST_CASE("NAMESPACE gives prefixes and delimiters") {
  const auto got = parse_as<NamespaceData>(
      "* NAMESPACE ((\"INBOX.\" \".\" \"X-PARAM\" (\"a\"))(\"#mh/\" NIL)) NIL ((\"shared.\" "
      "\".\"))");
  REQUIRE(got.personal.size() == 2);
  CHECK(got.personal[0].prefix == "INBOX.");
  CHECK(got.personal[0].delimiter == '.');
  CHECK_FALSE(got.personal[1].delimiter);
  CHECK(got.other_users.empty());
  REQUIRE(got.shared.size() == 1);
  CHECK(std::holds_alternative<Unknown>(parse("* NAMESPACE ((")));
}

TEST_CASE("ID gives names and values") {
  const auto got = parse_as<IdData>("* ID (\"name\" \"Cyrus\" \"version\" NIL \"os\" {2}\r\nx\")");
  REQUIRE(got.fields.size() == 3);
  CHECK(got.fields[0].second == "Cyrus");
  CHECK_FALSE(got.fields[1].second);
  CHECK(got.fields[2].second == "x\"");
  CHECK(parse_as<IdData>("* ID NIL").fields.empty());
  CHECK(parse_as<IdData>("* ID ()").fields.empty());
}

TEST_CASE("QUOTA and QUOTAROOT are read") {
  const auto quota = parse_as<QuotaData>("* QUOTA \"\" (storage 10 15728640 MESSAGE 1 2)");
  REQUIRE(quota.resources.size() == 2);
  CHECK(quota.resources[0].name == "STORAGE");
  CHECK(quota.resources[0].usage == 10);
  CHECK(quota.resources[0].limit == 15728640);
  const auto root = parse_as<QuotaRootData>("* QUOTAROOT INBOX \"\" b");
  CHECK(root.folder == "INBOX");
  CHECK(root.roots == Strings{"", "b"});
}

TEST_CASE("What nobody knows is no error") {
  for (const auto* line : {"* XYZZY (", "* 5 FROB", "* SORT 1 2", "* THREAD (1)(2)",
                           "* ACL INBOX a b", "*", "* ", ""}) {
    INFO(line);
    CHECK(parse_as<Unknown>(line).raw == line);
  }
}
