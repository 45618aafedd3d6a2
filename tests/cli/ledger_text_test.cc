#include "cli/ledger_text.h"

#include <catch2/catch.hpp>

using namespace postferry;
using namespace postferry::cli;
using Catch::Matchers::Contains;

namespace {

FolderTally folder(const std::string& source, const std::string& target, std::uint64_t copied,
                   std::uint64_t present) {
  FolderTally tally;
  tally.source = FolderName::parse(source);
  tally.target = FolderName::parse(target);
  tally.messages.seen = copied + present;
  tally.messages.copied = copied;
  tally.messages.present = present;
  tally.bytes_copied = copied * 1000;
  return tally;
}

Report sample() {
  Report report;
  report.ledger.folders = {folder("INBOX", "INBOX", 4990, 10), folder("Sent", "Sent Items", 2, 0),
                           folder("Quiet", "Quiet", 0, 7)};
  report.ledger.seconds = 62;
  return report;
}

}  // namespace

TEST_CASE("the ledger shows folders with news, counts the others, and balances") {
  const std::string text = ledger_text(sample(), ExitCode::complete, false);
  CHECK_THAT(text, Contains("INBOX"));
  CHECK_THAT(text, Contains("Sent -> Sent Items"));
  CHECK_THAT(text, Contains("and 1 folder with nothing to do"));
  CHECK(text.find("Quiet") == std::string::npos);
  CHECK_THAT(text, Contains("seen 5,009 = copied 4,992 + present 17; balanced"));
  CHECK_THAT(text, Contains("5.0 MB in 1:02"));
  CHECK_THAT(text, Contains("Complete."));
}

TEST_CASE("a folder that failed is named once") {
  const char* context = GENERATE("", "folder Sent", "source imap://a, folder Sent",
                                 "folder Sent, source imap://a", "folder Sent, disk, folder Sent");
  Report report = sample();
  report.ledger.folders[1].error = Error(ErrorKind::rejected, "no room", context);
  const std::string text = failures_text(report);
  const std::size_t first = text.find("Sent");
  CHECK_THAT(text, Contains("Folder Sent: "));
  CHECK_THAT(text, Contains("no room"));
  CHECK(text.find("Sent", first + 1) == std::string::npos);
}

TEST_CASE("a ledger that does not balance says so") {
  Report report = sample();
  report.ledger.folders[0].messages.seen += 1;
  CHECK_THAT(ledger_text(report, ExitCode::complete, false), Contains("DOES NOT BALANCE"));
}

TEST_CASE("what was refused is told with folder, message and the server's words") {
  Report report = sample();
  report.ledger.outcome = Outcome::partial;
  report.ledger.folders[0].messages.seen += 1;
  report.ledger.folders[0].messages.rejected = 1;
  report.refusals = {
      {FolderName::parse("INBOX"), MessageKey(Uid{42}), "NO Message contains NUL\x1b[2J"}};
  const std::string text = ledger_text(report, ExitCode::partial, false);
  CHECK_THAT(text, Contains("Refused: INBOX, UID 42: NO Message contains NUL\\x1B[2J"));
  CHECK_THAT(text, Contains("+ rejected 1; balanced"));
  CHECK_THAT(text, Contains("The next run tries it again"));
}

TEST_CASE("what was left at the source is told with both ways out, also where all else is quiet") {
  Report report = sample();
  report.ledger.outcome = Outcome::partial;
  report.ledger.folders[0].left_at_source = 1;
  report.refusals = {{FolderName::parse("INBOX"), MessageKey(std::string("uidl-7")),
                      "left at the source: why", true}};
  const std::string quiet = ledger_text(report, ExitCode::partial, true);
  CHECK_THAT(quiet, Contains("INBOX, UIDL uidl-7: left at the source: why"));
  CHECK_THAT(quiet, !Contains("Refused"));
  const std::string text = ledger_text(report, ExitCode::partial, false);
  CHECK_THAT(text, Contains("1 message left at the source"));
  CHECK_THAT(text, Contains("`postferry retry`") && Contains("`postferry failed --accept`"));
  CHECK_THAT(text, !Contains("could not be copied"));
}

TEST_CASE("what may have been delivered is not said to go out again by itself") {
  Report report = sample();
  report.ledger.outcome = Outcome::partial;
  report.ledger.folders[0].messages.seen += 1;
  report.ledger.folders[0].messages.unknown = 1;
  const std::string text = ledger_text(report, ExitCode::partial, false);
  CHECK_THAT(text, Contains("retry --unknown"));
  CHECK_THAT(text, !Contains("The next run"));
  report.ledger.folders[0].messages.seen += 1;
  report.ledger.folders[0].messages.rejected = 1;
  const std::string both = ledger_text(report, ExitCode::partial, false);
  CHECK_THAT(both, Contains("retry --unknown") && Contains("The next run"));
}

TEST_CASE("briefly, only failures are told, and nothing when there are none") {
  Report report = sample();
  CHECK(ledger_text(report, ExitCode::complete, true).empty());
  report.ledger.folders[1].error = Error(ErrorKind::rejected, "NO bad name", "folder Sent");
  CHECK(ledger_text(report, ExitCode::partial, true) == "Folder Sent: NO bad name\n");
}

TEST_CASE("an account that never began has no ledger, but advice") {
  Report report;
  report.ledger.outcome = Outcome::failed;
  report.ledger.error = Error(ErrorKind::auth, "NO wrong password");
  CHECK(ledger_text(report, ExitCode::auth, false).empty());
  CHECK_THAT(advice(report, ExitCode::auth), Contains("password"));
  report.ledger.error = Error(ErrorKind::quota, "NO full");
  CHECK_THAT(advice(report, ExitCode::partial), Contains("full"));
}

TEST_CASE("an interrupted run says how to go on") {
  Report report = sample();
  report.ledger.outcome = Outcome::interrupted;
  CHECK_THAT(ledger_text(report, ExitCode::interrupted, false),
             Contains("Run the same command again"));
}

TEST_CASE("a dry run tells what is to be copied and how much, and that nothing was written") {
  Report report;
  report.dry_run = true;
  FolderTally plan = folder("Sent", "Sent Items", 0, 4);
  plan.messages.seen = 10;
  plan.messages.pending = 6;
  report.ledger.folders = {plan, folder("Quiet", "Quiet", 0, 7)};
  report.planned_bytes = {{FolderName::parse("Sent"), 35'000'000}, {FolderName::parse("Quiet"), 0}};
  report.ledger.seconds = 62;
  const std::string text = ledger_text(report, ExitCode::complete, false);
  CHECK_THAT(text, Contains("to copy"));
  CHECK_THAT(text, Contains("35 MB"));
  CHECK_THAT(text, Contains("+ to copy 6; balanced"));
  CHECK_THAT(text, Contains("nothing was written"));
  CHECK(text.find("Quiet") == std::string::npos);
  CHECK(text.find("1:02") == std::string::npos);
}

TEST_CASE("a dry run tells what would be deleted, removed and flagged, and says that it was not") {
  Report report;
  report.dry_run = true;
  FolderTally plan = folder("Sent", "Sent", 0, 4);
  plan.deleted = 3;
  plan.removed = 2;
  plan.flags_updated = 1;
  report.ledger.folders = {plan};
  const std::string text = ledger_text(report, ExitCode::partial, false);
  CHECK_THAT(text, Contains("1 flags to update, 3 to delete, 2 to remove"));
  CHECK_THAT(text, Contains("3 messages would be deleted on the target"));
  CHECK_THAT(text, Contains("2 messages would be removed from the source"));
  CHECK_THAT(text, Contains("flags would be updated on 1 message\n"));
  CHECK_THAT(text, Contains("nothing was written"));
}

TEST_CASE("check shows where folders go, what is unknown, and what the target can do") {
  Report report;
  report.source = "imaps://ann@old.example";
  report.target = "imaps://ann@new.example";
  CheckReport findings;
  CheckedFolder inbox, sent;
  inbox.source = inbox.target = FolderName::parse("INBOX");
  inbox.exists = true;
  inbox.messages = 1234;
  inbox.size_bytes = 5'000'000;
  inbox.present = 1200;
  inbox.due = 34;
  sent.source = FolderName::parse("Sent");
  sent.target = FolderName::parse("Sent Items");
  findings.folders = {inbox, sent};
  findings.quotas = {{"user root", Quota::Of::bytes, 1'000'000, 30'000'000}};
  findings.target_offers = {"IMAP4REV1", "UID\033[2JPLUS"};
  findings.problems = {"the target has no room"};
  findings.seconds_to_read = 90;
  findings.left_out = {FolderName::parse("All Mail")};
  findings.notes = {"something to know"};
  findings.traits = TargetTraits{};
  findings.traits->append_limit_bytes = 25'000'000;
  report.check = findings;
  const std::string text = check_text(report);
  CHECK_THAT(text, Contains("1,234"));
  CHECK_THAT(text, Contains("Sent -> Sent Items"));
  CHECK_THAT(text, Contains("to be made"));
  CHECK_THAT(text, Contains("left out: All Mail"));
  CHECK_THAT(text, Contains("note: something to know"));
  CHECK_THAT(text, Contains("messages up to 25 MB"));
  CHECK_THAT(text, Contains("1,200 copied before"));
  CHECK_THAT(text, Contains("1.0 MB of 30 MB used"));
  CHECK_THAT(text, Contains("in about 1:30"));
  CHECK_THAT(text, Contains("would fail: the target has no room"));
  CHECK(text.find('\033') == std::string::npos);
  CHECK_THAT(text, Contains("Nothing was written."));
}
