// Labels as Google's exports have them, and where they put a message.
#include "connectors/mbox/codec/gmail_labels.h"

#include <catch2/catch.hpp>

using namespace postferry;
using namespace postferry::mbox;

namespace {

using Labels = std::vector<std::string>;

Placement place(const std::string& field) {
  const auto places = place_by_labels(parse_gmail_labels(field), LabelsAs::keywords);
  REQUIRE(places.size() == 1);
  return places.front();
}

std::string folder_of(const std::string& field) { return place(field).folder.to_string(); }
std::string flags_of(const std::string& field) { return place(field).flags.to_string(); }

Labels folders_of(const std::string& field) {
  Labels out;
  for (const Placement& one : place_by_labels(parse_gmail_labels(field), LabelsAs::folders))
    out.push_back(one.folder.to_string());
  return out;
}

}  // namespace

TEST_CASE("labels are parted by commas, in their order") {
  CHECK(parse_gmail_labels("Inbox,Opened,Work/2019") == Labels{"Inbox", "Opened", "Work/2019"});
  CHECK(parse_gmail_labels(" Inbox , Opened ") == Labels{"Inbox", "Opened"});
  CHECK(parse_gmail_labels(",,").empty());
  CHECK(parse_gmail_labels("").empty());
}

TEST_CASE("a quoted label may have commas, quotes and backslashes in it") {
  CHECK(parse_gmail_labels("Inbox,\"Culture, arts\",Opened") ==
        Labels{"Inbox", "Culture, arts", "Opened"});
  CHECK(parse_gmail_labels("\"say \\\"a, b\\\"\",x") == Labels{"say \"a, b\"", "x"});
  CHECK(parse_gmail_labels("\"say \"\"a, b\"\"\",x") == Labels{"say \"a, b\"", "x"});
  CHECK(parse_gmail_labels("\"never closed, x") == Labels{"never closed, x"});
}

TEST_CASE("a quote within a label is a character") {
  CHECK(parse_gmail_labels("=?UTF-8?Q?Posteingang,Kategorie:_=22Neuigkeiten=22,x?=") ==
        Labels{"Posteingang", "Kategorie: \"Neuigkeiten\"", "x"});
}

TEST_CASE("encoded labels are decoded before they are parted") {
  CHECK(
      parse_gmail_labels("=?UTF-8?Q?Messages_archiv=C3=A9s,Ouvert,Cat=C3=A9gorie=C2=A0:_E-mails_?= "
                         "=?UTF-8?Q?personnels,\"Culture,_associations\"?=") ==
      Labels{"Messages archivés", "Ouvert", "Catégorie\u00a0: E-mails personnels",
             "Culture, associations"});
}

TEST_CASE("a label has no control characters, and no more bytes than a name may have") {
  CHECK(parse_gmail_labels("a\x01\x7f"
                           "b") == Labels{"ab"});
  const Labels labels = parse_gmail_labels(std::string(kMostLabelBytes - 1, 'a') + "öö");
  REQUIRE(labels.size() == 1);
  CHECK(labels.front() == std::string(kMostLabelBytes - 1, 'a'));
  std::string many;
  for (std::size_t i = 0; i < 2 * kMostLabels; ++i) many += "l,";
  CHECK(parse_gmail_labels(many).size() == kMostLabels);
}

TEST_CASE("Gmail's own labels name the folder of their role") {
  CHECK(folder_of("Inbox,Opened") == "INBOX");
  CHECK(folder_of("Sent") == "Sent");
  CHECK(place("Sent").role == Role::sent);
  CHECK(place("Drafts").role == Role::drafts);
  CHECK(place("Spam,Unread").role == Role::junk);
  CHECK(place("Trash").role == Role::trash);
  CHECK(folder_of("=?UTF-8?Q?Bo=C3=AEte_de_r=C3=A9ception,Non_lus?=") == "INBOX");
  CHECK(folder_of("Posteingang,Wichtig") == "INBOX");
}

TEST_CASE("mail without any label that says where it is was archived") {
  CHECK(folder_of("Archived,Opened") == "Archive");
  CHECK(folder_of("") == "Archive");
  CHECK(folder_of("Important,Starred,Category Updates") == "Archive");
  CHECK(place("Opened").role == Role::archive);
}

TEST_CASE("archived mail is in the folder of its first label, with the others as keywords") {
  CHECK(folder_of("Archived,Opened,Work/2019,Family") == "Work/2019");
  CHECK(flags_of("Archived,Opened,Work/2019,Family and friends") == "\\Seen Family_and_friends");
}

TEST_CASE("spam and trash come before all else, then drafts, inbox and sent mail") {
  CHECK(folder_of("Inbox,Work,Spam") == "Spam");
  CHECK(folder_of("Sent,Work,Trash") == "Trash");
  CHECK(folder_of("Work,Drafts") == "Drafts");
  CHECK(folder_of("Work,Sent,Inbox") == "INBOX");
  CHECK(folder_of("Work,Sent") == "Sent");
  CHECK(flags_of("Work,Sent") == "\\Seen Work");
}

TEST_CASE("labels tell flags") {
  CHECK(flags_of("Inbox,Opened") == "\\Seen");
  CHECK(flags_of("Inbox,Unread") == "");
  CHECK(flags_of("Inbox,Starred,Unread") == "\\Flagged");
  CHECK(flags_of("Drafts") == "\\Seen \\Draft");
  CHECK(flags_of("Inbox,Important,Opened") == "\\Seen $Important");
  CHECK(flags_of("Inbox,IMAP_$Forwarded,IMAP_NotJunk") == "\\Seen $Forwarded NotJunk");
  CHECK(flags_of("Inbox,Category Promotions") == "\\Seen Category_Promotions");
  CHECK(flags_of("Posteingang,Ungelesen,Markiert") == "\\Flagged");
}

TEST_CASE("with labels as folders a message is in each of them") {
  CHECK(folders_of("Inbox,Sent,Work,Family,Work") == Labels{"INBOX", "Sent", "Work", "Family"});
  CHECK(folders_of("Opened") == Labels{"Archive"});
  for (const Placement& one : place_by_labels({"Inbox", "Work", "Starred"}, LabelsAs::folders))
    CHECK(one.flags.to_string() == "\\Seen \\Flagged");
}

TEST_CASE("a label becomes a keyword that every server takes") {
  CHECK(keyword_of_label("Work") == "Work");
  CHECK(keyword_of_label("Work/2019 (old)") == "Work_2019__old_");
  CHECK(keyword_of_label("Übung") == "&ANw-bung");
  CHECK(keyword_of_label("a\"b\\c%d*e]") == "a_b_c_d_e_");
}

TEST_CASE("levels of a label that are empty are left out") {
  CHECK(folder_of("/a//b/") == "a/b");
  CHECK(flags_of("Inbox,//") == "\\Seen __");
  CHECK(folder_of("../x") == "../x");  // a name like any other: targets keep it from leading out
}
