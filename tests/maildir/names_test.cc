// Names of files, of folders, of keywords; the list of UIDs.
#include <catch2/catch.hpp>

#include "connectors/maildir/file_name.h"
#include "connectors/maildir/folder_path.h"
#include "connectors/maildir/letters.h"
#include "connectors/maildir/uid_list.h"

using namespace postferry;
using namespace postferry::maildir;

namespace {

FolderName folder(std::vector<std::string> levels) { return FolderName(std::move(levels)); }

}  // namespace

TEST_CASE("a file's name tells its base, sizes and letters") {
  const FileName name = parse_file_name("1700000000.M5P7.host,S=1234,W=1260:2,FSa");
  CHECK(name.base == "1700000000.M5P7.host,S=1234,W=1260");
  CHECK(name.letters == "FSa");
  CHECK(name.size_bytes == 1234u);
  CHECK(name.wire_bytes == 1260u);
  CHECK_FALSE(name.ours);
  CHECK(parse_file_name("1.M1.host").letters.empty());
  CHECK(parse_file_name("1.M1.host:1,experimental").letters.empty());
  CHECK_FALSE(parse_file_name("1.M1.host,S=x,W=").size_bytes);
}

TEST_CASE("our own names are made of the message, and read back") {
  const InternalDate date{1'700'000'000, -210};
  const std::string base = with_sizes(own_base(date, sha256("message")), 12, 13);
  CHECK(base == with_sizes(own_base(date, sha256("message")), 12, 13));
  CHECK(base != with_sizes(own_base(date, sha256("another")), 12, 13));
  const FileName name = parse_file_name(base + ":2,S");
  CHECK(name.ours);
  CHECK(name.zone_minutes == -210);
  CHECK(name.size_bytes == 12u);
  CHECK(name.wire_bytes == 13u);
  CHECK_FALSE(parse_file_name("1.Pxyz.postferry,S=1").ours);
  CHECK_FALSE(parse_file_name("1.postferry").ours);
}

TEST_CASE("folder names become directories that Dovecot reads") {
  CHECK(directory_of(folder({"inbox"}), Layout::maildirpp).empty());
  CHECK(directory_of(folder({"Archive", "2019"}), Layout::maildirpp) == ".Archive.2019");
  CHECK(directory_of(folder({"Archive", "2019"}), Layout::fs) == "Archive/2019");
  CHECK(directory_of(folder({"Entw\xc3\xbcrfe"}), Layout::maildirpp) == ".Entw&APw-rfe");
  CHECK(directory_of(folder({"a.b", "c/d", "e\\f"}), Layout::maildirpp) == ".a\\2eb.c\\2fd.e\\5cf");
  CHECK(directory_of(folder({"~home", "~x"}), Layout::maildirpp) == ".\\7ehome.~x");
}

TEST_CASE("no folder name leads out of the root, and each is read back from its directory") {
  const Layout layout = GENERATE(Layout::maildirpp, Layout::fs);
  const std::vector<std::string> levels = {"..",
                                           ".",
                                           "...",
                                           "../../etc",
                                           "/etc/passwd",
                                           "a/../b",
                                           ".hidden",
                                           "cur",
                                           "new",
                                           "tmp",
                                           "a\0b",
                                           "a\nb",
                                           "~root",
                                           "\\2e",
                                           "&",
                                           "dovecot-uidlist",
                                           " ",
                                           "\xff\xfe",
                                           "%2F",
                                           "x\x7f",
                                           "subscriptions"};
  for (const std::string& level : levels) {
    for (const FolderName& name : {folder({level}), folder({level, level}), folder({"a", level})}) {
      const std::string directory = directory_of(name, layout);
      INFO(directory);
      CHECK_FALSE(directory.empty());
      CHECK(directory.find('\0') == std::string::npos);
      CHECK_FALSE(directory.starts_with('/'));
      for (std::size_t at = 0; at <= directory.size();) {
        const std::size_t end = std::min(directory.find('/', at), directory.size());
        const std::string part = directory.substr(at, end - at);
        CHECK_FALSE((part.empty() || part == "." || part == ".."));
        CHECK_FALSE((part == "cur" || part == "new" || part == "tmp"));
        CHECK((layout == Layout::maildirpp ? at == 0 : !part.starts_with(".")));
        at = end + 1;
      }
      if (level != "\xff\xfe") CHECK(folder_at(directory, layout) == name);
    }
  }
}

TEST_CASE("names too long for a file system are cut, and stay different") {
  const std::string start(300, 'x');
  for (const Layout layout : {Layout::maildirpp, Layout::fs}) {
    const std::string a = directory_of(folder({start + "a"}), layout);
    const std::string b = directory_of(folder({start + "b"}), layout);
    CHECK(a.size() < 250);
    CHECK(a != b);
    CHECK(folder_at(a, layout) != folder({start + "a"}));
  }
}

TEST_CASE("letters are flags, and keywords as the folder's file says") {
  Keywords keywords = Keywords::parse("0 Work\n2 $Label1\nbad line\n99 TooMany\n3 a(b\n");
  Flags flags = flags_of("FRSTac", keywords);
  CHECK(flags.names() == std::vector<std::string>{"\\Seen", "\\Answered", "\\Flagged", "\\Deleted",
                                                  "$Label1", "Work"});
  CHECK(flags_of("P", keywords).names() == std::vector<std::string>{"$Forwarded"});
  std::uint64_t dropped = 0;
  CHECK(change_letters("XSa", Flags::parse("\\Flagged work New"), true, keywords, dropped) ==
        "FSXad");
  CHECK(keywords.changed());
  CHECK(keywords.format() == "0 Work\n2 $Label1\n3 New\n");
  CHECK(change_letters("FPSXad", Flags::parse("\\Seen $Forwarded New Unknown"), false, keywords,
                       dropped) == "FXa");
  CHECK(dropped == 0);
}

TEST_CASE("keywords beyond the letters are dropped and counted") {
  Keywords keywords;
  Flags flags;
  for (int i = 0; i < 30; ++i) flags.add_keyword("k" + std::to_string(i));
  std::uint64_t dropped = 0;
  CHECK(change_letters("", flags, true, keywords, dropped).size() == 26);
  CHECK(dropped == 4);
  CHECK(Keywords::parse(keywords.format()).format() == keywords.format());
}

TEST_CASE("a list of UIDs is read and written as Dovecot does it") {
  const std::string text = "3 V1700000000 N8 Gabc\n5 W1260 :1.M1.host,S=12\n9 :2.M2.host:2,S\n";
  const auto list = parse_uid_list(text);
  REQUIRE(list);
  CHECK(list->validity == 1'700'000'000);
  CHECK(list->next == 10);
  CHECK(list->whole);
  REQUIRE(list->lines.size() == 2);
  CHECK(list->lines[0].words == "W1260");
  CHECK(list->lines[0].base == "1.M1.host,S=12");
  CHECK(list->lines[1].base == "2.M2.host");
  CHECK(format_uid_list(*list) ==
        "3 V1700000000 N10 Gabc\n5 W1260 :1.M1.host,S=12\n9 :2.M2.host\n");
  const auto old = parse_uid_list("1 77 3\n1 1.M1.host\n");
  REQUIRE(old);
  CHECK(old->validity == 77);
  CHECK(old->lines.at(0).base == "1.M1.host");
}

TEST_CASE("a list of UIDs that ends in the middle of a line is read without it") {
  const std::string text = "3 V7 N1\n1 :1.M1.host\n2 :2.M2.host\n";
  for (std::size_t end = 0; end < text.size(); ++end) {
    INFO(end);
    const auto list = parse_uid_list(std::string_view(text).substr(0, end));
    CHECK(list.has_value() == (end >= 8));
    if (!list) continue;
    CHECK(list->whole == (end == 8 || end == 21));
    CHECK(list->lines.size() == (end < 21 ? 0u : 1u));
  }
}

TEST_CASE("a list of UIDs that says nonsense is none") {
  for (const char* text :
       {"", "x\n", "3\n", "3 V0 N1\n", "3 V5 Nx\n", "4 V5 N1\n", "1 5\n", "3 V5 N9\n2 :a\n2 :b\n",
        "3 V5 N9\n5 :a\n3 :b\n", "3 V5 N9\n5 a\n", "3 V5 N9\n5 :\n", "3 V5 N9\n99999999999 :a\n"}) {
    INFO(text);
    CHECK_FALSE(parse_uid_list(text));
  }
}
