// A run as CSV and as HTML: whatever a server said stays data.
#include <algorithm>
#include <catch2/catch.hpp>

#include "cli/proof_text.h"
#include "cli/rate_chart.h"
#include "cli/report_csv.h"
#include "cli/report_html.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::cli;
using Catch::Matchers::Contains;

namespace {

Report hostile_report() {
  Report report;
  report.source = "imaps://ann@old.example";
  report.target = "imaps://ann@new.example";
  report.ledger.account = "imaps://ann@old.example";
  report.ledger.run = 7;
  FolderTally folder;
  folder.source = FolderName(std::vector<std::string>{"<script>alert('x')</script>"});
  folder.target = FolderName(std::vector<std::string>{"=HYPERLINK(\"http://evil\")"});
  folder.messages.seen = 3;
  folder.messages.copied = 2;
  folder.messages.rejected = 1;
  report.ledger.folders.push_back(folder);
  report.refusals.push_back(
      {FolderName(std::vector<std::string>{"@SUM(1)"}), MessageKey(Uid{4}), "-2+3\"\x1b[31m<b>&"});
  return report;
}

}  // namespace

TEST_CASE("a CSV field that a spreadsheet would take for a formula is text") {
  for (const char* first : {"=", "+", "-", "@", "\t", "\r", "\n"})
    CHECK(csv_field(std::string(first) + "1") == "\"'" + printable(std::string(first)) + "1\"");
  CHECK(csv_field("a\x1b[31mb\r\n=1") == "\"a\\x1B[31mb\\x0D\\x0A=1\"");
  CHECK(csv_field("a \"b\", c") == "\"a \"\"b\"\", c\"");
  CHECK(csv_field("") == "\"\"");
  const std::string csv = report_csv(hostile_report());
  CHECK_THAT(csv, Contains("\"'=HYPERLINK(\"\"http:") && Contains("\"'@SUM(1)\"") &&
                      Contains("\"'-2+3\"\"\\x1B[31m<b>&\"") && !Contains("\x1b"));
}

TEST_CASE("CSV and page of a run say what stopped it, and what one that never ended copied") {
  Report report = hostile_report();
  report.ledger.error = Error(ErrorKind::auth, "the login was refused", "source");
  CHECK_THAT(report_csv(report), Contains("account,7,\"imaps://ann@old.example\",,,,"
                                          "\"source: the login was refused\",,2,"));
  report.ledger.error.reset();
  CHECK_THAT(report_csv(report), !Contains("\naccount,"));
  report.past = RunRecord{};
  report.past->copied_so_far = 286;
  CHECK_THAT(report_csv(report), Contains("\"has not ended, or not in good order\",,286,"));
  CHECK_THAT(report_html(report), Contains("not in good order: 286 messages copied so far"));
}

TEST_CASE("every line of the CSV has as many fields as its head") {
  Report report = hostile_report();
  report.ledger.error = Error(ErrorKind::auth, "the login, said \"ann\", was refused");
  std::istringstream csv(report_csv(report));
  std::string line;
  std::size_t columns = 0;
  while (std::getline(csv, line)) {
    bool quoted = false;
    std::size_t fields = 1;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && !quoted) ++fields;
    }
    if (columns == 0) columns = fields;
    CHECK(fields == columns);
  }
  CHECK(columns == 22);
}

TEST_CASE("the HTML page escapes all that a server said, and loads nothing") {
  const std::string html = report_html(hostile_report());
  CHECK_THAT(html, Contains("&lt;script&gt;") && !Contains("<script") && !Contains("\x1b") &&
                       Contains("\\x1B[31m&lt;b&gt;&amp;"));
  CHECK_THAT(html, !Contains("src=") && !Contains("href=") && Contains("default-src 'none'"));
  CHECK_THAT(html, Contains("seen 3 = copied 2 + rejected 1; balanced"));
  CHECK(html_escaped("a'b\"") == "a&#39;b&quot;");
}

TEST_CASE("rates are drawn as well-formed SVG, with average, peak and the time's marks") {
  Report report = hostile_report();
  report.rates = empty_rates(1'700'000'000, 1'700'000'600);
  REQUIRE(report.rates->messages.size() == 200);
  CHECK(report.rates->step_seconds == 3);
  report.rates->messages[10] = 3000;
  report.rates->bytes[10] = 30'000'000;
  report.rates->messages[199] = 3;
  for (const bool small : {false, true}) {
    const std::string svg = rate_chart(*report.rates, small);
    CHECK_THAT(svg, Contains("average 5.0, peak 1,000") && Contains("average 50 kB, peak 10 MB") &&
                        Contains(">4:00</text>") && !Contains("nan") && !Contains("inf"));
    CHECK(std::ranges::count(svg, '<') == std::ranges::count(svg, '>'));
  }
  CHECK_THAT(report_html(report), Contains("<svg class=\"chart\""));
}

TEST_CASE("a run that is too short, or that copied nothing, has no curve") {
  Rates rates = empty_rates(1000, 1001);
  rates.messages[0] = 5;
  CHECK(rate_chart(rates, false).empty());
  CHECK(rate_chart(empty_rates(1000, 2000), false).empty());
  CHECK(empty_rates(1000, 1000).messages.size() == 1);
}

TEST_CASE("rates of a part are summed at their times") {
  Rates sum = empty_rates(1000, 3000);
  Rates part = empty_rates(2990, 3000);
  part.messages[0] = 4;
  part.bytes[9] = 40;
  sum += part;
  CHECK(sum.messages[199] == 4);
  CHECK(sum.bytes[199] == 40);
}

TEST_CASE("status tells a run under way from one that died") {
  RunHistory history;
  history.journal = "j.db";
  RunRecord open;
  open.id = RunId{2};
  open.command = "copy";
  open.copied_so_far = 1234;
  RunRecord dead = open;
  dead.id = RunId{1};
  history.runs = {open, dead};
  history.holder = "4711";
  const std::string text = status_text(history);
  CHECK_THAT(text, Contains("under way, process 4711; 1,234 copied so far") &&
                       Contains("ended without a word"));
}
