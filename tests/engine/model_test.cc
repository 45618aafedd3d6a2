#include "engine/model.h"

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "engine/glob.h"

using namespace postferry;

TEST_CASE("a folder name is read as people write it and printed the same way") {
  const FolderName name = FolderName::parse("Work/a%2Fb/100%25");
  REQUIRE(name.levels() == std::vector<std::string>{"Work", "a/b", "100%"});
  CHECK(name.to_string() == "Work/a%2Fb/100%25");
  CHECK(name.parent().to_string() == "Work/a%2Fb");
  CHECK(FolderName::parse("50% off").levels()[0] == "50% off");
}

TEST_CASE("INBOX ignores case, but only alone at the top") {
  CHECK(FolderName::parse("inbox").is_inbox());
  CHECK(FolderName::parse("Inbox").to_string() == "INBOX");
  CHECK_FALSE(FolderName::parse("Inbox/Sub").is_inbox());
  CHECK(FolderName::parse("Inbox/Sub").to_string() == "Inbox/Sub");
}

TEST_CASE("no level of a folder name is empty") {
  CHECK(FolderName({"", "a", "", "b", ""}) == FolderName({"a", "b"}));
  CHECK(FolderName::parse("/Sent//2019/") == FolderName::parse("Sent/2019"));
  CHECK(FolderName({"", "inbox"}).is_inbox());
  CHECK(FolderName({""}).empty());
}

TEST_CASE("flags ignore case, order and \\Recent") {
  Flags a, b;
  for (const char* flag : {"\\seen", "$Forwarded", "\\Recent", "NonJunk", "\\Unknown"}) a.add(flag);
  for (const char* flag : {"nonjunk", "\\Seen", "$FORWARDED"}) b.add(flag);
  CHECK(a == b);
  CHECK(a.to_string() == "\\Seen $Forwarded NonJunk");
  CHECK(Flags::parse(a.to_string()) == a);
}

TEST_CASE("what one set of flags has and another lacks") {
  const Flags now = Flags::parse("\\Seen $Label1 work"), before = Flags::parse("\\Flagged WORK");
  CHECK(now.minus(before).to_string() == "\\Seen $Label1");
  CHECK(before.minus(now).to_string() == "\\Flagged");
}

TEST_CASE("server words cannot drive a terminal") {
  CHECK(printable("a\x1b[31mred\r\n") == "a\\x1B[31mred\\x0D\\x0A");
  CHECK(printable("Grüße") == "Grüße");
  CHECK(printable("\xC2\x9B"
                  "31m") == "\\xC2\\x9B31m");
  CHECK(printable("\xff\xfe") == "\\xFF\\xFE");
  CHECK(printable("exe.\xE2\x80\xAEgpj\xE2\x81\xA6\xE2\x80\xA8") ==
        "exe.\\xE2\\x80\\xAEgpj\\xE2\\x81\\xA6\\xE2\\x80\\xA8");  // text that turns about
  CHECK(printable(std::string(1000, 'x'), 10) == "xxxxxxxxxx...");
}

TEST_CASE("one star stays within a level, two cross levels") {
  const auto name = [](const char* text) { return FolderName::parse(text); };
  CHECK(glob_matches("Archive/*", name("Archive/2019")));
  CHECK_FALSE(glob_matches("Archive/*", name("Archive/2019/May")));
  CHECK(glob_matches("Archive/**", name("Archive/2019/May")));
  CHECK_FALSE(glob_matches("Archive/**", name("Archive")));
  CHECK(glob_matches("**", name("a/b/c")));
  CHECK(glob_matches("*9", name("2019")));
  CHECK(glob_matches("inbox", name("INBOX")));
  CHECK(glob_matches("Inbox/*", name("INBOX/x")));
  CHECK_FALSE(glob_matches("inboxes", name("INBOXes")));
  CHECK(glob_matches("a%2Fb", name("a%2Fb")));
  CHECK_FALSE(glob_matches("*", name("a/b")));
}

TEST_CASE("a pattern full of stars takes no longer than its length allows") {
  const std::string pattern(60, '*'), text(3000, 'a');
  CHECK_FALSE(glob_matches(pattern + "b", FolderName({text})));
}
