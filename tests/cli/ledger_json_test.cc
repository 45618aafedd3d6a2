#include "cli/ledger_json.h"

#include <catch2/catch.hpp>
#include <limits>

#include "cli/json_writer.h"

using namespace postferry;
using namespace postferry::cli;

namespace {

FolderTally folder(const char* name, Tally messages) {
  FolderTally tally;
  tally.source = tally.target = FolderName::parse(name);
  tally.messages = messages;
  tally.bytes_copied = 1000;
  tally.flags_updated = 3;
  return tally;
}

Report sample() {
  Report report;
  report.ledger.account = "imaps://ann@old.example";
  report.ledger.run = 7;
  report.ledger.seconds = 1.5;
  Tally first, second;
  first.seen = 10, first.copied = 6, first.present = 4;
  second.seen = 5, second.rejected = 1, second.pending = 4;
  report.ledger.folders = {folder("INBOX", first), folder("A/B", second)};
  return report;
}

std::string quoted(std::string_view value) {
  JsonWriter json;
  json.string({}, value);
  return json.text();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("strings are escaped so that any bytes can be read back as JSON") {
  CHECK(quoted("a\"b\\c") == R"("a\"b\\c")");
  CHECK(quoted("a\nb\x01\x7f") == R"("a\u000ab\u0001\u007f")");
  CHECK(quoted(std::string_view("\0", 1)) == R"("\u0000")");
  CHECK(quoted("Entw\xC3\xBCrfe \xF0\x9F\x93\xAC") == "\"Entw\xC3\xBCrfe \xF0\x9F\x93\xAC\"");
}

TEST_CASE("what commands a terminal or turns text around is escaped, and nothing beside it") {
  CHECK(quoted("\xC2\x9B"
               "31m") == R"("\u009b31m")");  // CSI, a C1 control
  CHECK(quoted("\xC2\x80\xC2\x9F") == R"("\u0080\u009f")");
  CHECK(quoted("\xC2\xA0") == "\"\xC2\xA0\"");
  CHECK(quoted("\xE2\x80\xA8\xE2\x80\xAE") == R"("\u2028\u202e")");
  CHECK(quoted("\xE2\x81\xA6\xE2\x81\xA9") == R"("\u2066\u2069")");
  CHECK(quoted("\xE2\x80\xA7\xE2\x80\xAF") == "\"\xE2\x80\xA7\xE2\x80\xAF\"");
}

TEST_CASE("bytes that are no UTF-8 become replacement characters") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(quoted("\xFF") == "\"" + bad + "\"");
  CHECK(quoted("caf\xE9!") == "\"caf" + bad + "!\"");
  CHECK(quoted("\xC3") == "\"" + bad + "\"");                      // cut off
  CHECK(quoted("\xC0\x80") == "\"" + bad + bad + "\"");            // overlong
  CHECK(quoted("\xED\xA0\x80") == "\"" + bad + bad + bad + "\"");  // a surrogate
  CHECK(quoted("\xF4\x90\x80\x80") == "\"" + bad + bad + bad + bad + "\"");
}

TEST_CASE("objects and arrays nest, with commas between members") {
  JsonWriter json;
  json.begin_object();
  json.number("a", std::uint64_t{1});
  json.begin_array("b");
  json.string({}, "x");
  json.begin_object();
  json.end_object();
  json.end_array();
  json.null("c");
  json.boolean("d", true);
  json.number("e", -2.0);
  json.number("f", std::numeric_limits<double>::infinity());
  json.end_object();
  CHECK(json.text() == R"({"a":1,"b":["x",{}],"c":null,"d":true,"e":-2.000,"f":0.000})");
}

TEST_CASE("the object has every key of the contract, and totals that sum the folders") {
  const std::string text = ledger_json(sample());
  CHECK(text.find("{\"format\":1,\"run\":7,\"outcome\":\"complete\",") == 0);
  const std::string counts =
      R"("folders":2,"folders_failed":0,"messages":{"seen":15,"copied":6,"present":4,"filtered":0,)"
      R"("rejected":1,"vanished":0,"unknown":0,"pending":4,"twins":0,"accepted":0},"flags_updated":6,"deleted":0,"removed_from_source":0,"left_at_source":0,)"
      R"("bytes_copied":2000,"seconds":1.500)";
  CHECK(contains(text, R"("accounts":[{"name":"imaps://ann@old.example","outcome":"complete",)"
                       R"("error":null,)" +
                           counts));
  CHECK(contains(text, "\"totals\":{" + counts + "}}\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
}

TEST_CASE("an error and a failed folder are objects with kind, message and context") {
  Report report = sample();
  report.ledger.outcome = Outcome::interrupted;
  report.ledger.error = Error(ErrorKind::quota, "over \"quota\"", "target new.example");
  report.ledger.folders[1].error = Error(ErrorKind::rejected, "no");
  const std::string text = ledger_json(report);
  CHECK(contains(text, R"("error":{"kind":"quota","message":"over \"quota\"",)"
                       R"("context":"target new.example"})"));
  CHECK(contains(text, R"("failed_folders":[{"folder":"A/B","error":{"kind":"rejected")"));
  CHECK(contains(text, R"("folders_failed":1)"));
  CHECK(contains(text, R"("outcome":"interrupted")"));
}

TEST_CASE("an account that failed before it began still has its object") {
  Report report;
  report.ledger.account = "imaps://ann@old.example";
  report.ledger.outcome = Outcome::failed;
  report.ledger.error = Error(ErrorKind::auth, "NO wrong password", "source old.example");
  const std::string text = ledger_json(report);
  CHECK(contains(text, R"("run":0,"outcome":"failed")"));
  CHECK(contains(text, R"("folders":0,)"));
  CHECK(contains(text, R"("seen":0,)"));
}

TEST_CASE("a bug is told as an error of its own kind") {
  Report report;
  report.ledger.outcome = Outcome::failed;
  report.failure = OtherFailure{"bug", "broken"};
  CHECK(contains(ledger_json(report), R"("error":{"kind":"bug","message":"broken","context":""})"));
}

TEST_CASE("refused messages come with folder, key and the server's words") {
  Report report = sample();
  report.refusals = {{FolderName::parse("INBOX"), MessageKey(Uid{42}), "NO contains \xFF"}};
  CHECK(contains(ledger_json(report),
                 "\"refused\":[{\"folder\":\"INBOX\",\"key\":\"42\",\"text\":\"NO contains "
                 "\xEF\xBF\xBD\"}]"));
}
