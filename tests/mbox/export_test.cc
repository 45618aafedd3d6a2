// Exports of mail: zip archives and Google's mboxes, filed by their labels.
#include "connectors/mbox/export.h"

#include <catch2/catch.hpp>

#include "connectors/mbox/codec/decoder.h"
#include "engine/error.h"
#include "tests/mbox/workshop.h"
#include "tests/mbox/zip_workshop.h"

using namespace postferry;
using namespace postferry::mbox;
using namespace postferry::mbox::test;

namespace {

constexpr files::Moment kNow = 4'000'000'000'000'000'000;  // no change is younger

std::string message(int number) {
  return "Subject: message " + std::to_string(number) + "\r\n\r\ntext\r\n";
}

/// As Google writes it.
std::string takeout(int number, const std::string& labels) {
  return "From " + std::to_string(1'700'000'000 + number) +
         "@xxx Tue Nov 14 22:13:20 +0000 2023\r\nX-GM-THRID: 17\r\nX-Gmail-Labels: " + labels +
         "\r\n" + message(number) + "\r\n";
}

std::string plain(int number) {
  return "From ann@example.org Tue Nov 14 22:13:20 2023 +0000\n" + quoted(message(number));
}

struct Export {
  Export(std::function<std::unique_ptr<Bundle>()> open, LabelsAs labels)
      : archive(open_export(make_export_index(std::move(open), labels, "an export"))) {}

  std::vector<std::string> folders() {
    std::vector<std::string> out;
    for (const FolderInfo& info : archive->list(kNow))
      out.push_back(info.name.to_string() +
                    (info.role == Role::none ? "" : std::string(" ") + to_string(info.role)));
    return out;
  }
  /// `(flags) subject` of each message.
  std::vector<std::string> in(const std::string& folder) {
    const std::optional<files::Look> look = archive->open(FolderName::parse(folder), kNow);
    std::vector<std::string> out;
    for (std::size_t i = 0; look && i < look->messages.size(); ++i) {
      const std::unique_ptr<files::MessageReader> reader = archive->read(i);
      REQUIRE(reader);
      std::string bytes;
      for (std::string piece = reader->next(10); !piece.empty(); piece = reader->next(10))
        bytes += piece;
      CHECK(bytes.size() == look->messages[i].size_bytes);
      CHECK(sha256(bytes) == look->messages[i].digest);
      out.push_back("(" + look->messages[i].flags.to_string() + ") " +
                    bytes.substr(0, bytes.find("\r\n")));
    }
    return out;
  }
  std::unique_ptr<files::Archive> archive;
};

Export open_zip(const std::string& path, LabelsAs labels = LabelsAs::keywords) {
  return {[path] { return open_zip_bundle(path); }, labels};
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a message of an export is in one folder, with its other labels as keywords") {
  const Place place;
  write_zip(place / "t.zip",
            {{"Takeout/archive_browser.html", "<html>"},
             {"Takeout/Mail/All mail Including Spam and Trash.mbox",
              takeout(1, "Inbox,Unread,Work") + takeout(2, "Sent,Opened") +
                  takeout(3, "Archived,Work/2019,Family,Starred,Opened") + takeout(4, "Spam")}});
  Export exported = open_zip(place / "t.zip");
  CHECK(exported.folders() == Lines{"INBOX inbox", "Sent sent", "Spam junk", "Work/2019"});
  CHECK(exported.in("INBOX") == Lines{"(Work) Subject: message 1"});
  CHECK(exported.in("Sent") == Lines{"(\\Seen) Subject: message 2"});
  CHECK(exported.in("Work/2019") == Lines{"(\\Seen \\Flagged Family) Subject: message 3"});
  CHECK(exported.in("Spam") == Lines{"(\\Seen) Subject: message 4"});
}

TEST_CASE("with labels as folders a message of an export is in each of its folders") {
  const Place place;
  write_zip(place / "t.zip", {{"Mail/a.mbox", takeout(1, "Inbox,Work") + takeout(2, "Work")}});
  Export exported = open_zip(place / "t.zip", LabelsAs::folders);
  CHECK(exported.folders() == Lines{"INBOX inbox", "Work"});
  CHECK(exported.in("INBOX").size() == 1);
  CHECK(exported.in("Work").size() == 2);
}

TEST_CASE("a message that Google put into the mbox of each of its labels is one message") {
  const Place place;
  write_zip(place / "t.zip",
            {{"Takeout/Mail/Inbox.mbox", takeout(1, "Inbox,Work")},
             {"Takeout/Mail/Work.mbox", takeout(1, "Inbox,Work") + takeout(2, "Archived,Work")}});
  Export exported = open_zip(place / "t.zip");
  CHECK(exported.folders() == Lines{"INBOX inbox", "Work"});
  CHECK(exported.in("INBOX").size() == 1);
  CHECK(exported.in("Work") == Lines{"(\\Seen) Subject: message 2"});
}

TEST_CASE("equal messages of different numbers are several") {
  const Place place;
  std::string twin = takeout(1, "Inbox");
  twin.replace(twin.find("1700000001"), 10, "1700000099");
  write_zip(place / "t.zip", {{"a.mbox", takeout(1, "Inbox") + twin}});
  CHECK(open_zip(place / "t.zip").in("INBOX").size() == 2);
}

TEST_CASE("mail without labels is in the folder that its mbox is named for") {
  const Place place;
  write_zip(place / "t.zip", {{"export/Mail/Archive.mbox", plain(1) + plain(2)},
                              {"export/Mail/Archive.sbd/2019.mbox", plain(3)},
                              {"export/Mail/Notes.mbox/mbox", plain(4)},
                              {"export/Mail/Empty.mbox", ""},
                              {"__MACOSX/export/Mail/._Archive.mbox", "no mail"}});
  Export exported = open_zip(place / "t.zip");
  CHECK(exported.folders() == Lines{"Archive", "Archive/2019", "Empty", "INBOX inbox", "Notes"});
  CHECK(exported.in("Archive").size() == 2);
  CHECK(exported.in("Archive/2019") == Lines{"() Subject: message 3"});
}

TEST_CASE("one mbox without labels in an archive is INBOX") {
  const Place place;
  write_zip(place / "t.zip", {{"old-mail.mbox", plain(1)}});
  Export exported = open_zip(place / "t.zip");
  CHECK(exported.folders() == Lines{"INBOX inbox"});
  CHECK(exported.in("INBOX").size() == 1);
}

TEST_CASE(
    "an archive that was replaced is read anew, and none of its messages is taken for another") {
  const Place place;
  write_zip(place / "t.zip", {{"a.mbox", takeout(1, "Inbox")}});
  Export exported = open_zip(place / "t.zip");
  REQUIRE(exported.in("INBOX").size() == 1);
  write_zip(place / "new.zip", {{"a.mbox", takeout(2, "Inbox") + takeout(3, "Inbox")}});
  std::filesystem::rename(place / "new.zip", place / "t.zip");
  CHECK(exported.archive->read(0) == nullptr);
  CHECK(exported.in("INBOX") ==
        Lines{"(\\Seen) Subject: message 2", "(\\Seen) Subject: message 3"});
}

TEST_CASE("nothing is removed from an export") {
  const Place place;
  write_zip(place / "t.zip", {{"a.mbox", takeout(1, "Inbox")}});
  Export exported = open_zip(place / "t.zip");
  exported.in("INBOX");
  CHECK(exported.archive->remove({}, kNow));
  CHECK_THROWS_AS(exported.archive->remove({0}, kNow), Error);
}

TEST_CASE("an archive without an mbox, and an mbox that is none, are told") {
  const Place place;
  write_zip(place / "t.zip", {{"a.txt", "text"}});
  CHECK_THROWS_WITH(open_zip(place / "t.zip").folders(), Catch::Contains("no .mbox"));
  write_zip(place / "t.zip", {{"a.mbox", "no mail"}});
  CHECK_THROWS_WITH(open_zip(place / "t.zip").folders(), Catch::Contains("does not begin"));
}

TEST_CASE("Google's mboxes that were unpacked are filed as they are in the archive") {
  const Place place;
  std::filesystem::create_directories(place / "Mail");
  write_file(place / "Mail/Inbox.mbox", takeout(1, "Inbox,Unread"));
  write_file(place / "Mail/Work.mbox", takeout(1, "Inbox,Unread") + takeout(2, "Archived,Work"));
  const std::string path = place / "Mail";
  Export exported({[path] { return find_google_files(path); }, LabelsAs::keywords});
  CHECK(exported.folders() == Lines{"INBOX inbox", "Work"});
  CHECK(exported.in("Work").size() == 1);
  write_file(place / "other", plain(1));
  CHECK(find_google_files(place / "other") == nullptr);
}

TEST_CASE("what Google put above a message is no part of it, and what the message has itself is") {
  Decoder decoder(Form::foreign, 0);
  std::string out;
  decoder.feed(
      "X-GM-THRID: 1\nX-Gmail-Labels: Inbox,\n Work\nSubject: x\nX-Gmail-Labels: own\n\n"
      "text\n",
      out);
  decoder.finish(out);
  CHECK(out == "Subject: x\r\nX-Gmail-Labels: own\r\n\r\ntext\r\n");
  CHECK(decoder.envelope().gmail_labels() == "Inbox, Work");
}
