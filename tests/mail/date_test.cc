// Dates as standards and mailers write them.
#include "connectors/mail/date.h"

#include <catch2/catch.hpp>
#include <ostream>
#include <string>

namespace postferry::mail {
static std::ostream& operator<<(std::ostream& out, const ZonedTime& time) {
  return out << time.unix_seconds << '/' << time.zone_minutes;
}
}  // namespace postferry::mail

using namespace postferry::mail;

namespace {

constexpr std::int64_t kNow = 1'700'000'000;  // 2023-11-14T22:13:20Z
// 2006-11-14T12:34:56Z
constexpr std::int64_t kNov14 = 1'163'507'696;

struct Sample {
  const char* text;
  ZonedTime expected;
};

}  // namespace

TEST_CASE("dates of RFC 5322 are read with their zone") {
  const Sample sample = GENERATE(Sample{"Tue, 14 Nov 2006 12:34:56 +0000", {kNov14, 0}},
                                 Sample{"Tue, 14 Nov 2006 13:34:56 +0100", {kNov14, 60}},
                                 Sample{"Tue, 14 Nov 2006 09:04:56 -0330", {kNov14, -210}},
                                 Sample{"14 Nov 2006 12:34:56 -0000", {kNov14, 0}},
                                 Sample{"14 Nov 2006 12:34 +0000", {kNov14 - 56, 0}},
                                 Sample{"tue, 14 nov 2006 12:34:56 gmt", {kNov14, 0}},
                                 Sample{"  Tue,\r\n\t14 Nov 2006   12:34:56 \t+0000 ", {kNov14, 0}},
                                 Sample{"Fri, 21 Nov 1997 09:55:06 -0600", {880127706, -360}},
                                 Sample{"Thu, 1 Jan 1970 00:00:00 +0000", {0, 0}},
                                 Sample{"Wed, 31 Dec 1969 23:59:59 +0000", {-1, 0}},
                                 Sample{"Thu, 29 Feb 2024 23:59:60 +0000", {1709251200, 0}});
  CHECK(parse_date(sample.text) == sample.expected);
}

TEST_CASE("obsolete and sloppy dates are read") {
  const Sample sample = GENERATE(
      Sample{"Tue, 14 Nov 06 12:34:56 GMT", {kNov14, 0}},
      Sample{"Tue, 14 Nov 106 12:34:56 GMT", {kNov14, 0}},
      Sample{"Tue, 14 Nov 2006 07:34:56 EST", {kNov14, -300}},
      Sample{"Tue, 14 Nov 2006 04:34:56 PST", {kNov14, -480}},
      Sample{"Tue, 14 Nov 2006 13:34:56 +0100 (CET)", {kNov14, 60}},
      Sample{"Tue, 14 Nov 2006 13:34:56 +0100 (CET (a \\) nested) one)", {kNov14, 60}},
      Sample{"Tue(x), 14 Nov(y)2006 (z)12:34:56 +0000", {kNov14, 0}},
      Sample{"Tue, 14 November 2006 12:34:56 UT", {kNov14, 0}},
      Sample{"Tue, 14-Nov-2006 12:34:56 +0000", {kNov14, 0}},
      Sample{"14-Nov-06 12:34:56 +0000", {kNov14, 0}},
      Sample{"Tue,14 Nov 2006 12:34:56 +0000", {kNov14, 0}},
      Sample{"Tue Nov 14 12:34:56 2006", {kNov14, 0}},
      Sample{"Tue Nov 14 13:34:56 CET 2006", {kNov14, 60}},
      Sample{"Tue, Nov 14, 2006 12:34:56 PM +0000", {kNov14, 0}},
      Sample{"Tue, 14 Nov 2006 12:34:56 AM", {kNov14 - 12 * 3600, 0}},
      Sample{"Tue, 14 Nov 2006 1:34:56 pm +0100", {kNov14, 60}},
      Sample{"2006-11-14 12:34:56 +0000", {kNov14, 0}}, Sample{"2006-11-14T12:34:56Z", {kNov14, 0}},
      Sample{"2006-11-14T13:34:56.789+01:00", {kNov14, 60}},
      Sample{"Tue, 14 Nov 2006 13:34:56 GMT+0100", {kNov14, 60}},
      Sample{"Tue, 14 Nov 2006 13:34:56 GMT+1", {kNov14, 60}},
      Sample{"Tue, 14 Nov 2006 18:04:56 +530", {kNov14, 330}},
      Sample{"Tue, 14 Nov 2006 12:34:56 \"GMT\"", {kNov14, 0}},
      Sample{"Tue, 14 Nov 2006 12.34.56 +0000", {kNov14, 0}},
      Sample{"Tue, 14 Nov 2006 12:34:56", {kNov14, 0}},
      Sample{"Tue, 14 Nov 2006 12:34:56 Q", {kNov14, 0}},
      Sample{"Tue, 14 Nov 2006 12:34:56 Mitteleurop\xe4ische Zeit", {kNov14, 0}},
      Sample{"Tue, 14 Nov 2006 12:34:56 +9999", {kNov14, 0}},
      Sample{"14 Nov 2006", {1163462400, 0}}, Sample{"1 Jan 50 00:00:00 +0000", {-631152000, 0}},
      Sample{"1 Jan 49 00:00:00 +0000", {2493072000, 0}});
  INFO(sample.text);
  CHECK(parse_date(sample.text) == sample.expected);
}

TEST_CASE("what is no date is refused") {
  const char* text =
      GENERATE("", " ", "yesterday", "14 Nov", "Nov 2006 12:00:00", "31 Feb 2006 12:00:00 +0000",
               "0 Jan 2006 12:00:00 +0000", "00-Jan-0000", "14 Nov 2006 24:00:00 +0000",
               "14 Nov 2006 12:60:00 +0000", "14 Nov 2006 12:00:61 +0000", "14 Nov 2006 12: +0000",
               "14 Nov 2006 123:00 +0000", "(14 Nov 2006 12:00:00 +0000", "2006-13-14 12:34:56",
               "99999999999999999999 Nov 99999999999", "::::", "+-+-", "---");
  INFO(text);
  CHECK_FALSE(parse_date(text));
}

TEST_CASE("every beginning of a date can be read") {
  for (const std::string text :
       {"Tue, 14 Nov 2006 13:34:56.789 GMT+01:00 (CET \\) x)", "2006-11-14T13:34:56.7+01:00",
        "14/11/2006 1:2:3pm", "Nov-14-2006 +"}) {
    for (std::size_t size = 0; size <= text.size(); ++size) {
      const std::vector<char> part(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
      const auto date = parse_date(std::string_view(part.data(), part.size()));
      if (date) CHECK(date->zone_minutes % 60 == 0);
    }
  }
}

TEST_CASE("a Received field's date stands after its last semicolon") {
  CHECK(received_date("from a (b; c) by d with SMTP id 1; Tue, 14 Nov 2006 12:34:56 +0000") ==
        ZonedTime{kNov14, 0});
  CHECK(received_date("from a; by b; Tue, 14 Nov 2006 12:34:56 +0000 (x; y)") ==
        ZonedTime{kNov14, 0});
  CHECK(received_date("(qmail 1 invoked by uid 0); 14 Nov 2006 12:34:56 -0000") ==
        ZonedTime{kNov14, 0});
  CHECK(received_date("from a (b by c; Tue, 14 Nov 2006 12:34:56 +0000") == ZonedTime{kNov14, 0});
  CHECK_FALSE(received_date("from a by b"));
  CHECK_FALSE(received_date("from a by b;"));
  CHECK_FALSE(received_date(""));
}

TEST_CASE("a plausible arrival lies between 1981 and tomorrow") {
  CHECK(plausible({347155200, 0}, kNow));
  CHECK_FALSE(plausible({347155199, 0}, kNow));
  CHECK(plausible({kNow + 86400, 0}, kNow));
  CHECK_FALSE(plausible({kNow + 86401, 0}, kNow));
}

TEST_CASE("a message arrived when its topmost plausible Received says") {
  const auto arrival = [](std::string_view header) {
    return arrival_date(scan_header(header), kNow);
  };
  CHECK(arrival("Received: by a; Tue, 14 Nov 2006 13:34:56 +0100\r\n"
                "Received: by b; Mon, 13 Nov 2006 12:34:56 +0000\r\n"
                "Date: Sun, 12 Nov 2006 12:34:56 +0000\r\n\r\n") == ZonedTime{kNov14, 60});
  CHECK(arrival("Received: by a; Tue, 14 Nov 2036 13:34:56 +0100\r\n"
                "Received: by b; Tue, 1 Jan 1980 13:34:56 +0100\r\n"
                "Received: by c\r\n"
                "Received: by d; Tue, 14 Nov 2006 13:34:56 +0100\r\n"
                "Date: Sun, 12 Nov 2006 12:34:56 +0000\r\n\r\n") == ZonedTime{kNov14, 60});
}

TEST_CASE("a message without a plausible Received arrived when it was written") {
  const auto arrival = [](std::string_view header) {
    return arrival_date(scan_header(header), kNow);
  };
  CHECK(arrival("Date: Tue, 14 Nov 2006 12:34:56 +0000\r\n\r\n") == ZonedTime{kNov14, 0});
  CHECK(arrival("Received: rubbish\r\nDate: Tue, 14 Nov 2006 12:34:56 +0000\r\n\r\n") ==
        ZonedTime{kNov14, 0});
  CHECK_FALSE(arrival("Date: Tue, 14 Nov 2036 12:34:56 +0000\r\n\r\n"));
  CHECK_FALSE(arrival("Subject: x\r\n\r\n"));
}
