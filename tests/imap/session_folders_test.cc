// Listings and folder names: one round trip where the server can, and what becomes of prefixes,
// foreign namespaces and names that do not decode.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "connectors/imap/folders.h"
#include "connectors/imap/names.h"
#include "engine/mapping.h"
#include "tests/imap/session_dialogue.h"

using namespace postferry;
using namespace postferry::imap;
using namespace postferry::imap::testing;

namespace {

std::string shown(const FolderInfo& folder) {
  std::string text = folder.name.to_string();
  if (folder.role != Role::none) text += fmt::format(" role={}", to_string(folder.role));
  if (!folder.selectable) text += " unselectable";
  if (folder.subscribed) text += " subscribed";
  if (folder.numbers.messages) text += fmt::format(" messages={}", *folder.numbers.messages);
  if (folder.numbers.uid_next) text += fmt::format(" next={}", *folder.numbers.uid_next);
  if (folder.numbers.uid_validity) {
    text += fmt::format(" validity={}", *folder.numbers.uid_validity);
  }
  if (folder.numbers.highest_modseq) {
    text += fmt::format(" modseq={}", *folder.numbers.highest_modseq);
  }
  return text;
}

std::vector<std::string> list_by(const Dialogue& dialogue, std::vector<std::string> capabilities,
                                 const NamespaceData& namespaces = {}) {
  std::vector<std::string> listed;
  converse(dialogue, logged_in(std::move(capabilities), [&](Session& session) -> Task<void> {
             FolderNames names;
             names.set_namespaces(namespaces);
             const std::vector<FolderInfo> folders = co_await list_folders(session, names);
             listed.clear();
             for (const FolderInfo& folder : folders) listed.push_back(shown(folder));
           }));
  return listed;
}

NamespaceData namespaces_of(const char* personal, const char* others = nullptr,
                            const char* shared = nullptr, char delimiter = '.') {
  NamespaceData data;
  data.personal.push_back({personal, delimiter});
  if (others) data.other_users.push_back({others, delimiter});
  if (shared) data.shared.push_back({shared, delimiter});
  return data;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("LIST-STATUS lists names, roles, subscriptions and numbers in one round trip") {
  Dialogue d;
  d.c("A1 LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY "
      "HIGHESTMODSEQ))");
  d.s("* LIST (\\Subscribed) \"/\" inbox");
  d.s("* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 77)");
  d.s("* LIST (\\Sent \\HasNoChildren) \"/\" \"Gesendet &- mehr\"");
  d.s("* STATUS \"Gesendet &- mehr\" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 10)");
  d.s("* LIST (\\NonExistent) \"/\" Archive").s("A1 OK done");
  CHECK(list_by(d, {"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "CONDSTORE"}) ==
        Lines{"INBOX role=inbox subscribed messages=3 next=4 validity=9 modseq=77",
              "Gesendet & mehr role=sent messages=0 next=1 validity=10", "Archive unselectable"});
}

TEST_CASE("a server that refuses the RETURN it advertises is asked again, in stages") {
  Dialogue d;
  d.c("A1 LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY))");
  d.s("A1 BAD parse error");
  d.c("A2 LIST \"\" \"*\" RETURN (SUBSCRIBED)").s("A2 NO still not");
  d.c("A3 LIST \"\" \"*\"").c("A4 LSUB \"\" \"*\"");
  d.s("* LIST () \"/\" INBOX").s("* LIST () \"/\" Box").s("A3 OK");
  d.s("* LSUB () \"/\" Box").s("A4 OK");
  d.c("A5 STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)");
  d.c("A6 STATUS \"Box\" (MESSAGES UIDNEXT UIDVALIDITY)");
  d.s("* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)").s("A5 OK").s("A6 NO cannot open");
  CHECK(list_by(d, {"LIST-EXTENDED", "LIST-STATUS"}) ==
        Lines{"INBOX role=inbox messages=1 next=2 validity=3", "Box subscribed"});
}

TEST_CASE("a listing that is throttled is not asked again") {
  Dialogue d;
  d.c("A1 LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY))");
  d.s("A1 NO [LIMIT] Rate limit hit");
  std::optional<Error> error;
  converse(d, logged_in({"LIST-EXTENDED", "LIST-STATUS"}, [&](Session& session) -> Task<void> {
             FolderNames names;
             error = co_await failure_of(drop_value(list_folders(session, names)));
           }));
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::throttled);
}

TEST_CASE("what ails one folder costs its numbers, and no other folder's") {
  Dialogue d;
  d.c("A1 LIST \"\" \"*\"").c("A2 LSUB \"\" \"*\"");
  d.s("* LIST (\\Noselect) \"/\" \"\"");
  d.s("* LIST () \"/\" INBOX").s("* LIST () \"/\" Broken").s("A1 OK").s("A2 OK");
  d.c("A3 STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)");
  d.c("A4 STATUS \"Broken\" (MESSAGES UIDNEXT UIDVALIDITY)");
  d.s("* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)").s("A3 OK");
  d.s("A4 NO [SERVERBUG] Internal error occurred");
  CHECK(list_by(d, {}) == Lines{"INBOX role=inbox messages=1 next=2 validity=3", "Broken"});
}

TEST_CASE("LIST-STATUS without LIST-EXTENDED still saves the STATUS commands") {
  Dialogue d;
  d.c("A1 LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))").c("A2 LSUB \"\" \"*\"");
  d.s("* LIST () \"/\" INBOX").s("* STATUS INBOX (MESSAGES 1)").s("A1 OK");
  d.s("* LSUB () \"/\" INBOX").s("A2 OK");
  CHECK(list_by(d, {"LIST-STATUS"}) == Lines{"INBOX role=inbox subscribed messages=1"});
}

TEST_CASE("XLIST tells roles, and which translated name is INBOX") {
  Dialogue d;
  d.c("A1 XLIST \"\" \"*\"").c("A2 LSUB \"\" \"*\"");
  d.s("* XLIST (\\Inbox) \"/\" \"Posteingang\"").s("* XLIST (\\Spam) \"/\" \"Werbung\"").s("A1 OK");
  d.s("A2 OK");
  d.c("A3 STATUS \"Posteingang\" (MESSAGES UIDNEXT UIDVALIDITY)");
  d.c("A4 STATUS \"Werbung\" (MESSAGES UIDNEXT UIDVALIDITY)").s("A3 OK").s("A4 OK");
  CHECK(list_by(d, {"XLIST"}) == Lines{"INBOX role=inbox", "Werbung role=junk"});
}

TEST_CASE("the personal prefix comes off, and other people's folders are left out") {
  Dialogue d;
  d.c("A1 LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))").c("A2 LSUB \"\" \"*\"");
  d.s("* LIST () \".\" INBOX").s("* LIST () \".\" INBOX.Sent").s("* LIST () \".\" inbox.Sent.2019");
  d.s("* LIST () \".\" user.bob").s("* LIST () \".\" Public").s("* LIST () \".\" INBOX.INBOX");
  d.s("A1 OK").s("A2 OK");
  CHECK(list_by(d, {"LIST-STATUS"}, namespaces_of("INBOX.", "user.", "")) ==
        Lines{"INBOX role=inbox", "Sent", "Sent/2019", "INBOX" + mark_of("INBOX.INBOX")});
}

TEST_CASE("names that do not decode, and names that decode alike, keep apart") {
  FolderNames names;
  names.learn({{"a&AC8-b", '.'}, {"a/b", '.'}, {"lone & sign", '.'}, {"caf\xE9", '.'}});
  names.learn({{"a//b.", '/'}, {"caf&AOk-", '.'}, {"a&AC8-b", '.'}});
  CHECK(names.find("a&AC8-b")->to_string() == "a%2Fb" + mark_of("a&AC8-b"));
  CHECK(names.find("a/b")->to_string() == "a%2Fb");
  CHECK(names.find("lone & sign")->to_string() == "lone & sign");
  CHECK(names.find("caf\xE9")->to_string() == "caf\u00e9");
  CHECK(names.find("caf&AOk-")->to_string() == "caf\u00e9" + mark_of("caf&AOk-"));
  CHECK(names.find("a//b.")->to_string() == "a/b.");
  // The way back is what was listed, not what we would have written.
  CHECK(names.wire(FolderName({"a/b" + mark_of("a&AC8-b")})) == "a&AC8-b");
  CHECK(names.wire(FolderName({"caf\u00e9"})) == "caf\xE9");
}

TEST_CASE("names that decode alike are the same whatever the order of the listing") {
  std::vector<std::string> wires = {"a",       "&AGE-", "b&AGEAYQ-",
                                    "b&AGE-a", "INBOX", "a" + mark_of("&AGE-")};
  std::ranges::sort(wires);
  std::set<std::vector<std::string>> outcomes;
  do {
    std::vector<ListedName> listing;
    for (const std::string& wire : wires) listing.push_back({wire, '/'});
    FolderNames names;
    names.learn(std::move(listing));
    std::vector<std::string> told;
    for (const char* wire : {"a", "&AGE-", "b&AGE-a", "b&AGEAYQ-"})
      told.push_back(names.find(wire)->to_string());
    outcomes.insert(std::move(told));
  } while (std::ranges::next_permutation(wires).found);
  const std::string mark = mark_of("&AGE-");
  CHECK(outcomes == std::set<std::vector<std::string>>{
                        {"a", "a" + mark + mark, "baa", "baa" + mark_of("b&AGEAYQ-")}});
}

TEST_CASE("a new folder's name gets prefix, delimiter and modified UTF-7") {
  FolderNames names;
  names.set_namespaces(namespaces_of("INBOX."));
  CHECK(names.wire(FolderName({"INBOX"})) == "INBOX");
  CHECK(names.wire(FolderName({"Entw\u00fcrfe", "A & B"})) == "INBOX.Entw&APw-rfe.A &- B");
  CHECK_THROWS_AS(names.wire(FolderName({"v1.2"})), Error);
  FolderNames flat;
  flat.set_delimiter(std::nullopt);
  CHECK(flat.wire(FolderName({"v1.2"})) == "v1.2");
  CHECK_THROWS_AS(flat.wire(FolderName({"a", "b"})), Error);
}
