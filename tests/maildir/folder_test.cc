// One folder on a disk: UIDs that stay, writing again, what a crash leaves, other programs' locks.
#include "connectors/maildir/folder.h"

#include <catch2/catch.hpp>

#include "connectors/maildir/file_name.h"
#include "connectors/maildir/message_file.h"
#include "connectors/maildir/root.h"
#include "engine/error.h"
#include "tests/maildir/workshop.h"

using namespace postferry;
using namespace postferry::maildir;
using namespace postferry::maildir::test;

namespace {

constexpr Moment kNow = 4'000'000'000'000'000'000;  // long after any file of the test

struct Opened {
  explicit Opened(const std::string& directory, Access access = Access::target)
      : folder(directory, access) {
    REQUIRE(folder.refresh(kNow));
  }
  std::vector<std::uint32_t> uids() const {
    std::vector<std::uint32_t> out;
    for (std::size_t i = 0; i < folder.size(); ++i) out.push_back(folder.uid(i).value);
    return out;
  }
  std::optional<std::vector<Uid>> admit(const std::string& text) {
    Incoming message;
    const files::File file = folder.open_temporary(message.temporary);
    files::write_all(file, text, message.temporary);
    message.base = with_sizes(own_base(InternalDate{5, 0}, sha256(text)), text.size(), text.size());
    return folder.admit({message}, kNow);
  }
  Folder folder;
};

}  // namespace

TEST_CASE("UIDs stay with their files, and none is given twice") {
  const Place place;
  const std::string box = place / "box";
  Folder::make(box);
  for (const char* name : {"cur/2.M2.h:2,S", "cur/1.M1.h:2,", "new/3.M3.h"}) {
    write_file(box + "/" + name, "Subject: x\n\nx\n");
  }
  const auto validity = Opened(box).folder.numbers().uid_validity;
  CHECK(Opened(box).uids() == std::vector<std::uint32_t>{1, 2, 3});
  CHECK(uids_of(box) ==
        std::map<std::string, std::uint32_t>{{"1.M1.h", 1}, {"2.M2.h", 2}, {"3.M3.h", 3}});
  std::filesystem::rename(box + "/new/3.M3.h", box + "/cur/3.M3.h:2,FS");
  std::filesystem::remove(box + "/cur/1.M1.h:2,");
  Opened again(box);
  CHECK(again.uids() == std::vector<std::uint32_t>{2, 3});
  CHECK(again.folder.flags(1).names() == std::vector<std::string>{"\\Seen", "\\Flagged"});
  CHECK(again.folder.numbers().uid_validity == validity);
  write_file(box + "/cur/1.M1.h:2,", "Subject: x\n\nx\n");  // back again: a new message
  CHECK(Opened(box).uids() == std::vector<std::uint32_t>{2, 3, 4});
}

TEST_CASE("the same message written again is answered with its UID") {
  const Place place;
  const std::string box = place / "box";
  Folder::make(box);
  const auto first = Opened(box).admit("Subject: once\r\n\r\n");
  REQUIRE(first);
  Opened later(box);
  CHECK(later.admit("Subject: once\r\n\r\n") == first);
  CHECK(later.admit("Subject: other\r\n\r\n") != first);
  CHECK(later.folder.size() == 2);
  CHECK(names_in(box + "/cur").size() == 2);
  CHECK(names_in(box + "/tmp").empty());
}

TEST_CASE("what crashed between the rename and the list of UIDs gets its UID when next seen") {
  const Place place;
  const std::string box = place / "box";
  Folder::make(box);
  REQUIRE(Opened(box).admit("Subject: one\r\n\r\n"));
  const std::string before = read_file(box + "/dovecot-uidlist");
  REQUIRE(Opened(box).admit("Subject: two\r\n\r\n"));
  const std::string after = read_file(box + "/dovecot-uidlist");
  for (std::size_t end = before.size(); end <= after.size(); ++end) {
    write_file(box + "/dovecot-uidlist", after.substr(0, end));
    CHECK(Opened(box).uids() == std::vector<std::uint32_t>{1, 2});
  }
}

TEST_CASE("a held lock is waited for; one whose holder has ended is broken") {
  const Place place;
  const std::string box = place / "box";
  Folder::make(box);
  Opened opened(box);
  write_file(box + "/dovecot-uidlist.lock", std::to_string(::getpid()) + ":elsewhere");
  CHECK_FALSE(opened.admit("Subject: x\r\n\r\n"));
  char host[256] = {};
  REQUIRE(::gethostname(host, sizeof host - 1) == 0);
  write_file(box + "/dovecot-uidlist.lock", std::string("999999999:") + host);
  CHECK(opened.admit("Subject: x\r\n\r\n"));
  CHECK_FALSE(std::filesystem::exists(box + "/dovecot-uidlist.lock"));
}

TEST_CASE("temporary files of an ended process are swept up, others are left") {
  const Place place;
  const std::string box = place / "box";
  Folder::make(box);
  char host[256] = {};
  REQUIRE(::gethostname(host, sizeof host - 1) == 0);
  const std::string end = std::string(":") + host + ":AbCdEf.postferry";
  for (const std::string& name :
       {"999999999" + end, std::to_string(::getpid()) + end, std::string("1.M1.h")}) {
    write_file(box + "/tmp/" + name, "half");
  }
  const std::vector<std::string> left{"1.M1.h", std::to_string(::getpid()) + end};
  Opened opened(box);
  CHECK(names_in(box + "/tmp") == left);
  // Also where the list of UIDs needs no change: the process was killed before it had one.
  write_file(box + "/tmp/999999999" + end, "half");
  Opened again(box);
  CHECK(names_in(box + "/tmp") == left);
}

TEST_CASE("a folder is told as unchanged only when no change can have been missed") {
  const Place place;
  const std::string box = place / "box";
  Folder::make(box);
  write_file(box + "/cur/1.M1.h:2,", "Subject: x\n\nx\n");
  const auto state = [&](Moment now) { return Folder::glance(box, now).highest_modseq; };
  const std::int64_t changed = files::modified_ns(*files::status_of(box + "/cur"));
  CHECK_FALSE(state(changed + 1'000'000'000));
  const auto before = state(kNow);
  REQUIRE(before);
  CHECK(*before > 1);
  CHECK(state(kNow) == before);
  std::filesystem::rename(box + "/cur/1.M1.h:2,", box + "/cur/1.M1.h:2,S");
  CHECK(state(kNow) != before);
}

TEST_CASE("the numbers at a glance are those of the open folder") {
  const Place place;
  const std::string box = place / "box";
  Folder::make(box);
  CHECK_FALSE(Folder::glance(box, kNow).uid_validity);
  Opened opened(box);
  for (int i = 0; i < 200; ++i) REQUIRE(opened.admit("Subject: " + std::to_string(i) + "\r\n\r\n"));
  const FolderNumbers glance = Folder::glance(box, kNow), open = Opened(box).folder.numbers();
  CHECK(glance == open);
  CHECK(glance.uid_next == 201u);
  CHECK(glance.messages == 200u);
}

TEST_CASE("mail of other programs ends its lines in CRLF, ours is just what was given") {
  const Place place;
  const auto read = [&](const std::string& name, const std::string& bytes) {
    write_file(place / name, bytes);
    std::optional<MessageFile> file = MessageFile::open(place / name, parse_file_name(name));
    REQUIRE(file);
    std::string out;
    for (std::string piece = file->next(3); !piece.empty(); piece = file->next(3)) out += piece;
    CHECK(file->size_bytes() == out.size());
    return out;
  };
  CHECK(read("1.M1.h:2,S", "a\nb\r\n\nc\rd") == "a\r\nb\r\n\r\nc\rd");
  const std::string mixed = "a\nb\r\n\nc";
  const std::string ours =
      with_sizes(own_base(std::nullopt, sha256("x")), mixed.size(), mixed.size() + 2);
  CHECK(read(ours, mixed) == mixed);
  // Edited since: then it is text like any other.
  CHECK(read(ours, mixed + "\n") == "a\r\nb\r\n\r\nc\r\n");
}

TEST_CASE("roles, and names that a directory's name cannot tell, are kept beside the mail") {
  const Place place;
  const Layout layout = GENERATE(Layout::maildirpp, Layout::fs);
  Root root(place / "mail", layout);
  const FolderName longest({std::string(150, 'x') + "\xc3\xa4", std::string(150, 'y')});
  const FolderName sent({"Gesendet"});
  root.create(longest, Role::none);
  root.create(sent, Role::sent);
  CHECK(root.subscribe(longest));
  CHECK(root.find(longest));
  CHECK_FALSE(root.find(FolderName({"nothing"})));
  std::map<FolderName, FolderInfo> found;
  for (const FolderInfo& info : root.list(kNow)) found[info.name] = info;
  CHECK(found.size() == 3);
  CHECK(found.at(longest).subscribed);
  CHECK(found.at(sent).role == Role::sent);
  CHECK_FALSE(found.at(sent).subscribed);
  const FolderName endless(std::vector<std::string>(40, std::string(200, 'z')));
  if (layout == Layout::fs) {
    CHECK_THROWS_AS(root.create(endless, Role::none), Error);
  } else {
    CHECK_NOTHROW(root.create(endless, Role::none));
  }
}
