#include "cli/job_ledger_text.h"

#include <fmt/core.h>

#include "cli/format.h"
#include "cli/ledger_text.h"
#include "cli/proof_text.h"
#include "cli/verify_text.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kNameColumns = 44;

std::string account_row(const Report& report) {
  const Ledger& ledger = report.ledger;
  const Tally tally = ledger.messages();
  const std::string name = cut_to(printable(ledger.account), kNameColumns);
  return fmt::format("{}{} {:>9} {:>9} {:>9}  {}\n", name,
                     std::string(kNameColumns - columns(name), ' '), with_commas(tally.seen),
                     with_commas(report.dry_run ? tally.pending : tally.copied),
                     with_commas(tally.present), to_string(ledger.outcome));
}

std::string failures(const JobReport& job) {
  std::string text;
  for (const Report& report : job.accounts) {
    const std::string name = printable(report.ledger.account);
    if (report.ledger.error) text += fmt::format("{}: {}\n", name, report.ledger.error->what());
    for (std::string rest = failures_text(report); !rest.empty();) {
      const std::size_t end = rest.find('\n') + 1;
      text += name + ": " + rest.substr(0, end);
      rest.erase(0, end);
    }
  }
  return text;
}

std::string advice_for(const JobReport& job, ExitCode code) {
  switch (code) {
    case ExitCode::complete:
      return job.dry_run ? "A dry run: nothing was written." : "Complete.";
    case ExitCode::interrupted:
      return "Stopped before the end. Run the same command again to go on.";
    default:
      if (job.dry_run) return "A dry run: nothing was written.";
      return "Not all accounts are complete. The next run tries what is missing again; --failed "
             "chooses just those.";
  }
}

}  // namespace

std::string job_ledger_text(const JobReport& job, ExitCode code, bool brief) {
  if (brief || job.accounts.empty()) return failures(job);
  std::string text =
      fmt::format("Account{} {:>9} {:>9} {:>9}\n", std::string(kNameColumns - 7, ' '), "seen",
                  job.dry_run ? "to copy" : "copied", "present");
  for (const Report& report : job.accounts) text += account_row(report);
  Report sum;
  sum.dry_run = job.dry_run;
  sum.ledger = job.total();
  return text + failures(job) + sum_text(sum) + advice_for(job, code) + "\n";
}

std::string job_status_text(const JobReport& job) {
  std::string text =
      fmt::format("Account{} {:<16} {:>9} {:>9}  {}\n", std::string(kNameColumns - 7, ' '),
                  "began, UTC", "seen", "copied", "outcome");
  for (const Report& report : job.accounts) {
    const std::string name = cut_to(printable(report.ledger.account), kNameColumns);
    text += name + std::string(kNameColumns - columns(name), ' ');
    if (!report.past) {
      text += " not begun\n";
      continue;
    }
    const RunRecord& run = *report.past;
    const Tally tally = run.ledger.messages();
    text += fmt::format(" {:<16} {:>9} {:>9}  {}\n", utc_text(run.started_at),
                        run.ended_at ? with_commas(tally.seen) : "",
                        with_commas(run.ended_at ? tally.copied : run.copied_so_far),
                        run.ended_at ? to_string(run.ledger.outcome)
                        : job.holder ? "under way"
                                     : "cut off");
    if (run.ledger.error) text += fmt::format("  {}\n", printable(run.ledger.error->what()));
  }
  return text + (job.holder ? fmt::format("Under way, process {}\n", *job.holder) : "");
}

std::string job_each_text(const JobReport& job, bool brief) {
  std::string text;
  for (const Report& report : job.accounts) {
    std::string one = report.check    ? check_text(report)
                      : report.verify ? verify_text(*report.verify, brief)
                      : report.failed ? failed_text(*report.failed, report.ledger, brief)
                      : report.undo   ? undo_text(*report.undo, job.dry_run)
                                      : "";
    if (report.ledger.error) one += fmt::format("{}\n", printable(report.ledger.error->what()));
    if (brief && one.empty()) continue;
    text += fmt::format("== {}: {}\n{}\n", printable(report.ledger.account),
                        to_string(report.ledger.outcome), one);
  }
  return text;
}

}  // namespace postferry::cli
