// INTERNALDATE: as the RFC writes it, as servers write it, and what no one may believe.
#include <catch2/catch.hpp>
#include <initializer_list>
#include <limits>

#include "connectors/imap/codec/internal_date.h"

using namespace postferry::imap;

TEST_CASE("A date is an instant and its zone") {
  CHECK(parse_internal_date(" 7-Nov-2016 10:11:12 +0100") == DateTime{1478509872, 60});
  CHECK(parse_internal_date("17-Jul-1996 02:44:25 -0700") == DateTime{837596665, -420});
  CHECK(parse_internal_date("01-Jan-1970 00:00:00 +0000") == DateTime{0, 0});
  CHECK(parse_internal_date("29-Feb-2024 23:59:59 +0530") == DateTime{1709231399, 330});
  CHECK(parse_internal_date("31-Dec-1969 23:59:59 +0000") == DateTime{-1, 0});
}

TEST_CASE("The day may have one or two digits, and spaces before it") {
  for (const auto* text : {" 7-Nov-2016 10:11:12 +0100", "07-Nov-2016 10:11:12 +0100",
                           "7-Nov-2016 10:11:12 +0100", "  7-NOV-2016 10:11:12  +0100 "}) {
    INFO(text);
    CHECK(parse_internal_date(text) == DateTime{1478509872, 60});
  }
}

TEST_CASE("A date out of range is none") {
  for (const auto* text : {"",
                           "00-Jan-0000 00:00:00 +0000",
                           "30-Feb-2016 10:11:12 +0100",
                           "29-Feb-2023 00:00:00 +0000",
                           "32-Jan-2016 00:00:00 +0000",
                           " 7-Nov-2016 24:00:00 +0000",
                           " 7-Nov-2016 10:60:00 +0000",
                           " 7-Nov-2016 10:00:61 +0000",
                           " 7-Nov-2016 10:11:12 +2400",
                           " 7-Nov-2016 10:11:12 +0160",
                           " 7-Nov-2016 10:11:12",
                           " 7-Nov-2016 10:11:12 0100",
                           " 7-Nov-2016 10:11:12 GMT",
                           " 7-Nov-16 10:11:12 +0100",
                           " 7-Foo-2016 10:11:12 +0100",
                           "-7-Nov-2016 10:11:12 +0100",
                           "007-Nov-2016 10:11:12 +0100",
                           " 7-Nov-2016 10:11:12 +0100x",
                           "7-Nov-02016 10:11:12 +0100",
                           "7-Nov-2016 1:11:12 +0100",
                           "7-Nov-2016 10:11:12 +01",
                           "7",
                           "77",
                           "7-",
                           "NIL"}) {
    INFO(text);
    CHECK_FALSE(parse_internal_date(text));
  }
}

TEST_CASE("A date is written in 26 characters") {
  CHECK(format_internal_date({1478509872, 60}) == "07-Nov-2016 10:11:12 +0100");
  CHECK(format_internal_date({837596665, -420}) == "17-Jul-1996 02:44:25 -0700");
  CHECK(format_internal_date({-62135596800, 0}) == "01-Jan-0001 00:00:00 +0000");
  CHECK(format_internal_date({0, -1}) == "31-Dec-1969 23:59:00 -0001");
}

TEST_CASE("A date without wire form is not written") {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  CHECK_FALSE(format_internal_date({kMost, 0}));
  CHECK_FALSE(format_internal_date({kLeast, 0}));
  CHECK_FALSE(format_internal_date({kMost, -1439}));
  CHECK_FALSE(format_internal_date({0, 1440}));
  CHECK_FALSE(format_internal_date({0, -1440}));
  CHECK_FALSE(format_internal_date({-62135596800, -1}));
  CHECK(format_internal_date({-62135596860, 1}));
  CHECK(format_internal_date({253402300799, 0}) == "31-Dec-9999 23:59:59 +0000");
  CHECK_FALSE(format_internal_date({253402300800, 0}));
}

TEST_CASE("A leap second is the first of the next minute") {
  CHECK(parse_internal_date("31-Dec-2016 23:59:60 +0000") == DateTime{1483228800, 0});
}

TEST_CASE("Every date that can be written is read back") {
  for (std::int64_t seconds = -62135596800 + 86400; seconds < 253402300799 - 86400;
       seconds += 86400 * 97 + 12345) {
    for (const std::int16_t zone :
         std::initializer_list<std::int16_t>{-1439, -720, -1, 0, 59, 330, 840, 1439}) {
      const auto text = format_internal_date({seconds, zone});
      if (!text || text->size() != 26 || parse_internal_date(*text) != DateTime{seconds, zone}) {
        FAIL(seconds << " " << zone);
      }
    }
  }
}
