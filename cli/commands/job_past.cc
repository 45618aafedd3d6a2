#include <algorithm>
#include <functional>

#include "cli/commands/commands.h"
#include "cli/commands/job.h"
#include "cli/commands/pair.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/error.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

/// What an account's last run came to, or has come to so far.
Report past_report(const PairOptions& options, const AccountPast& past) {
  Report report = report_of(options);
  report.ledger.outcome = Outcome::interrupted;
  report.past = past.last;
  if (past.last) report.ledger = past.last->ledger;
  report.ledger.account = account_name(options);
  if (past.last && !past.last->ended_at) report.ledger.outcome = Outcome::interrupted;
  return report;
}

/// Of the newest run, and of all that went on at the same time as one of them.
std::optional<Rates> rates_together(const std::vector<Report>& accounts) {
  std::vector<const Rates*> by_begin;
  for (const Report& account : accounts)
    if (account.rates) by_begin.push_back(&*account.rates);
  if (by_begin.empty()) return std::nullopt;
  std::ranges::sort(by_begin, std::greater{}, &Rates::from);
  std::int64_t from = by_begin[0]->from, until = by_begin[0]->until;
  for (const Rates* rates : by_begin) {
    if (rates->until < from) continue;
    from = std::min(from, rates->from);
    until = std::max(until, rates->until);
  }
  Rates sum = empty_rates(from, until);
  for (const Rates* rates : by_begin)
    if (rates->until >= from) sum += *rates;
  return sum;
}

}  // namespace

JobReport run_job_past(const Job& job) {
  ManualExecutor executor;
  const Command command = job.whole.command;
  if (command == Command::report && job.whole.run != "last") {
    throw Error(ErrorKind::usage,
                "a job's report shows what its accounts' last runs came to: leave the number out");
  }
  check_only(job);
  const std::unique_ptr<Journal> journal = open_past_journal(job.journal(), JournalUse::look);
  const std::vector<AccountPast> past = block_on(executor, pasts_of(*journal, job.accounts));
  JobReport report = begin_report(job);
  if (command == Command::status) report.holder = journal_holder(job.journal());
  for (std::size_t i = 0; i < job.accounts.size(); ++i) {
    const PairOptions& options = job.accounts[i];
    if (!is_chosen(job.whole, options.account)) continue;
    Report& account = report.accounts.emplace_back(past_report(options, past[i]));
    if (!past[i].known || command == Command::status) continue;
    if (job.whole.format == ReportFormat::html && past[i].last && past[i].last->ended_at) {
      account.rates = empty_rates(past[i].last->started_at, *past[i].last->ended_at);
      block_on(executor,
               add_rates(*journal, identity_of(options), past[i].last->id, *account.rates));
    }
    for (const FailedMessage& one : block_on(executor, failed_messages(*journal, options)))
      if (!one.row.accepted)
        account.refusals.push_back(
            {one.folder, one.row.key, one.row.text, one.row.left.has_value()});
  }
  if (job.whole.format == ReportFormat::html) report.rates = rates_together(report.accounts);
  return report;
}

}  // namespace postferry::cli
