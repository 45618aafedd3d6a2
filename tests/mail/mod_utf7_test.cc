// Modified UTF-7: the examples of RFC 3501 5.1.3, and the names that clients really made.
#include <catch2/catch.hpp>

#include "connectors/mail/mod_utf7.h"

using namespace postferry::mail;
using namespace std::string_literals;

namespace {

std::string decoded(std::string_view raw) {
  const auto name = decode_mod_utf7(raw);
  REQUIRE(name);
  return name->utf8;
}

void check_both_ways(std::string_view raw, std::string_view utf8) {
  INFO(raw);
  const auto name = decode_mod_utf7(raw);
  REQUIRE(name);
  CHECK(name->utf8 == utf8);
  CHECK(name->exact);
  CHECK(encode_mod_utf7(utf8) == raw);
}

}  // namespace

TEST_CASE("Canonical names go both ways") {
  check_both_ways("", "");
  check_both_ways("INBOX", "INBOX");
  check_both_ways("Tom &- Jerry", "Tom & Jerry");
  check_both_ways("&-&-", "&&");
  check_both_ways("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e");
  check_both_ways("Entw&APw-rfe", "Entw\u00fcrfe");
  check_both_ways("&BB8EOARBBEwEPAQw-", "\u041f\u0438\u0441\u044c\u043c\u0430");
  check_both_ways("&2D3eAA-", "\U0001f600");
  check_both_ways("a&2D3eAAAK-b", "a\U0001f600\nb");
  check_both_ways("&2,,f,w-", "\U0010ffff");
}

TEST_CASE("A delimiter in base64 is a character of the name, and not exact") {
  const auto name = decode_mod_utf7("a&AC8-b");
  REQUIRE(name);
  CHECK(name->utf8 == "a/b");
  CHECK_FALSE(name->exact);
}

TEST_CASE("Odd encodings decode, but are not exact") {
  for (const auto& [raw, utf8] :
       std::vector<std::pair<std::string, std::string>>{{"&AGE-", "a"},
                                                        {"&AOk-&AOk-", "\u00e9\u00e9"},
                                                        {"&AOl-", "\u00e9"},
                                                        {"a\tb", "a\tb"},
                                                        {"&ACY-", "&"}}) {
    INFO(raw);
    const auto name = decode_mod_utf7(raw);
    REQUIRE(name);
    CHECK(name->utf8 == utf8);
    CHECK_FALSE(name->exact);
  }
}

TEST_CASE("What is not modified UTF-7 is left to the caller") {
  for (const std::string raw :
       {"R&D", "a&", "&", "&AOk", "Entw\xfcrfe", "caf\xc3\xa9", "&A-", "&AO-", "&AAAAA-", "&!!!-",
        "&AO/p-", "&AOk=-", "&2D0-", "&3gA-", "&2D3YPQ-", "&2D0AYQ-", "& -"}) {
    INFO(raw);
    CHECK_FALSE(decode_mod_utf7(raw));
  }
}

TEST_CASE("Only UTF-8 can be encoded") {
  for (const std::string text : {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
                                 "\xf4\x90\x80\x80", "a\x80", "\xf0\x9f\x98"}) {
    CHECK_FALSE(encode_mod_utf7(text));
    CHECK_FALSE(is_utf8(text));
  }
  CHECK(encode_mod_utf7("\0"s) == "&AAA-");
  CHECK(is_utf8("caf\u00e9 \U0001f600"));
}

TEST_CASE("Every character survives encoding and decoding") {
  for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 257) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string raw = [&] {
      // UTF-8 by hand, so that the codec is not tested against itself.
      std::string utf8;
      if (c < 0x80) {
        utf8 = {static_cast<char>(c)};
      } else if (c < 0x800) {
        utf8 = {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
      } else if (c < 0x10000) {
        utf8 = {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                static_cast<char>(0x80 | (c & 0x3f))};
      } else {
        utf8 = {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
                static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
      }
      const auto encoded = encode_mod_utf7(utf8);
      if (!encoded || decoded(*encoded) != utf8) FAIL("character " << static_cast<unsigned>(c));
      return *encoded;
    }();
    if (raw.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,&- "
                              "!\"#$%'()*./:;<=>?@[\\]^_`{|}~") != std::string::npos) {
      FAIL("not printable: " << raw);
    }
  }
}

TEST_CASE("Levels are split in the raw name") {
  using Levels = std::vector<std::string_view>;
  CHECK(split_levels("a/b/c", '/') == Levels{"a", "b", "c"});
  CHECK(split_levels("a//b", '/') == Levels{"a", "", "b"});
  CHECK(split_levels("/a/", '/') == Levels{"", "a", ""});
  CHECK(split_levels("INBOX", '.') == Levels{"INBOX"});
  CHECK(split_levels("", '.') == Levels{""});
  CHECK(split_levels("a/b", std::nullopt) == Levels{"a/b"});
  CHECK(split_levels("a&AC8-b/c", '/') == Levels{"a&AC8-b", "c"});
}
