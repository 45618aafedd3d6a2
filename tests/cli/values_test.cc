#include "cli/values.h"

#include <catch2/catch.hpp>

using namespace postferry;
using namespace postferry::cli;

TEST_CASE("a size is a number and perhaps a unit") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("4096") == 4096);
  CHECK(parse_size("12B") == 12);
  CHECK(parse_size("25M") == 25'000'000);
  CHECK(parse_size("25mb") == 25'000'000);
  CHECK(parse_size("3k") == 3'000);
  CHECK(parse_size("48MiB") == 48u << 20);
  CHECK(parse_size("1GiB") == 1u << 30);
  CHECK(parse_size("9223372036854775807") == 9223372036854775807u);
}

TEST_CASE("what is no size is refused") {
  for (const char* text : {"", "M", "-1", "1.5M", "10X", "10MiBs", "1 M", "0x10", "+5",
                           "9223372036854775808", "9300P", "99999999999999999999", "9999999T"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_size(text), BadValue);
  }
}

TEST_CASE("a date is its first second, UTC") {
  CHECK(parse_instant("1970-01-01") == 0);
  CHECK(parse_instant("2019-07-31") == 1564531200);
  CHECK(parse_instant("2020-02-29") == 1582934400);
  CHECK(parse_instant("1969-12-31") == -86400);
}

TEST_CASE("an instant is read with its zone") {
  CHECK(parse_instant("2019-07-31T08:00:00Z") == 1564560000);
  CHECK(parse_instant("2019-07-31t08:00:00z") == 1564560000);
  CHECK(parse_instant("2019-07-31 08:00:00Z") == 1564560000);
  CHECK(parse_instant("2019-07-31T10:00:00+02:00") == 1564560000);
  CHECK(parse_instant("2019-07-31T02:30:00-05:30") == 1564560000);
  CHECK(parse_instant("2019-07-31T08:00:00.999Z") == 1564560000);
}

TEST_CASE("what is no date is refused") {
  for (const char* text :
       {"", "2019", "2019-7-31", "2019-02-29", "2019-13-01", "31.07.2019", "2019-07-31T",
        "2019-07-31T08:00Z", "2019-07-31T08:00:00", "2019-07-31T24:00:00Z", "2019-07-31T08:60:00Z",
        "2019-07-31T08:00:00.Z", "2019-07-31T08:00:00+2", "2019-07-31T08:00:00Zx", "2019-07-31 ",
        "yesterday"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_instant(text), BadValue);
  }
}

TEST_CASE("a duration is between a second and a day") {
  CHECK(parse_duration("90") == std::chrono::seconds(90));
  CHECK(parse_duration("90s") == std::chrono::seconds(90));
  CHECK(parse_duration("5m") == std::chrono::minutes(5));
  CHECK(parse_duration("24H") == std::chrono::hours(24));
  for (const char* text :
       {"", "0", "s", "5d", "-1", "25h", "86401", "1.5m", "99999999999999999999"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_duration(text), BadValue);
  }
}

TEST_CASE("a folder pair is parted at the first equals sign") {
  const auto [from, to] = parse_folder_pair("Sent=Archive/Sent=old");
  CHECK(from.to_string() == "Sent");
  CHECK(to.to_string() == "Archive/Sent=old");
  CHECK(parse_folder_pair("/=Old").first.empty());
  CHECK(parse_folder_pair("a%2Fb=c").first.levels() == std::vector<std::string>{"a/b"});
  for (const char* text : {"", "=", "Sent", "Sent=", "=Sent", "Sent=/"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_folder_pair(text), BadValue);
  }
}

TEST_CASE("a bad value that holds control characters is shown without them") {
  try {
    (void)parse_size("1\x1b[2J");
    FAIL("it was taken");
  } catch (const BadValue& error) {
    CHECK(std::string(error.what()).find('\x1b') == std::string::npos);
  }
}
