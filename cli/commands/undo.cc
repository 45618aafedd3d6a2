#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>

#include "cli/commands/commands.h"
#include "cli/commands/job.h"
#include "cli/commands/pair.h"
#include "cli/format.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"

namespace postferry::cli {
namespace {

bool asks(const PairOptions& options) { return !options.yes && !options.dry_run; }

void check_that_somebody_answers(const Terminal& terminal) {
  if (::isatty(0) == 1 && terminal.interactive()) return;
  throw Error(ErrorKind::usage,
              "undo asks on a terminal; elsewhere it needs --yes, or --dry-run to look first");
}

/// Whether the answer on the terminal is yes.
bool agreed(const std::vector<const UndoReport*>& plans, Terminal& terminal) {
  std::uint64_t appended = 0, removed = 0, kept = 0, gone = 0;
  for (const UndoReport* plan : plans) {
    appended += plan->appended();
    removed += plan->removed();
    kept += plan->kept();
    gone += plan->gone();
  }
  const std::string what =
      plans.size() == 1
          ? fmt::format("Run {} appended {}", plans[0]->run.value,
                        counted(appended, "message", "messages"))
          : fmt::format("The runs of {} appended {}", counted(plans.size(), "account", "accounts"),
                        counted(appended, "message", "messages"));
  terminal.line(fmt::format("{}; {} would be removed from the target, {} kept, {} gone.", what,
                            with_commas(removed), with_commas(kept), with_commas(gone)));
  if (removed == 0) return false;
  terminal.line("Remove them? yes or no");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes" || answer == "y";
}

}  // namespace

Task<std::optional<RunId>> run_meant(Journal& journal, AccountIdentity identity, std::string run) {
  constexpr std::size_t kLookedAt = 1000;
  const bool known = co_await journal.knows(identity.name);
  if (!known) co_return std::nullopt;
  const AccountId account =
      co_await journal.account(identity.name, identity.source_identity, identity.target_identity);
  if (run != "last") {
    const std::optional<RunRecord> record = co_await journal.run(account, RunId{std::stoll(run)});
    co_return record ? std::optional(record->id) : std::nullopt;
  }
  const std::vector<RunRecord> runs = co_await journal.runs(account, kLookedAt);
  for (const RunRecord& record : runs)
    if (!is_undo(record)) co_return record.id;
  co_return std::nullopt;
}

Ledger ledger_of(const UndoReport& undo) {
  Ledger ledger;
  ledger.error = undo.error;
  const bool folders_failed = std::ranges::any_of(
      undo.folders, [](const UndoneFolder& folder) { return folder.error.has_value(); });
  ledger.outcome = undo.stopped                        ? Outcome::interrupted
                   : folders_failed || undo.kept() > 0 ? Outcome::partial
                                                       : Outcome::complete;
  return ledger;
}

Report run_undo(const PairOptions& options, Terminal& terminal, Observer& log) {
  if (asks(options)) check_that_somebody_answers(terminal);
  const std::unique_ptr<Journal> journal = open_past_journal(
      journal_path(options), options.dry_run ? JournalUse::look : JournalUse::change);
  Wiring wiring(options, log);
  StopRequest stop;
  std::optional<SignalWatch> signals(std::in_place, wiring.executor(), options, terminal, log,
                                     stop);
  const AccountIdentity identity = identity_of(options);
  const std::optional<RunId> run =
      block_on(wiring.executor(), run_meant(*journal, identity, options.run));
  if (!run) throw Error(ErrorKind::usage, "the journal has no run " + options.run);
  CrossingOptions crossing = crossing_options(options);
  const Ends ends{wiring.source(), wiring.target(), *journal, log};
  Report report = report_of(options);
  report.dry_run = options.dry_run;
  crossing.dry_run = options.dry_run || asks(options);
  report.undo = block_on(wiring.executor(), undo_run(ends, identity, *run, crossing, stop));
  if (asks(options) && !report.undo->error) {
    signals.reset();  // while it asks, nothing is in flight: a signal ends it
    report.dry_run = stop.requested() || !agreed({&*report.undo}, terminal);
    signals.emplace(wiring.executor(), options, terminal, log, stop);
    crossing.dry_run = false;
    if (!report.dry_run)
      report.undo = block_on(wiring.executor(), undo_run(ends, identity, *run, crossing, stop));
  }
  report.ledger = ledger_of(*report.undo);
  report.ledger.account = account_name(options);
  return report;
}

JobReport run_job_undo(const Job& job, Terminal& terminal, Observer& log) {
  if (!asks(job.whole)) return run_job(job, terminal, log);
  check_that_somebody_answers(terminal);
  Job look = job;
  look.whole.dry_run = true;
  for (PairOptions& account : look.accounts) account.dry_run = true;
  JobReport plan = run_job(look, terminal, log);
  std::vector<const UndoReport*> plans;
  for (const Report& account : plan.accounts)
    if (account.undo) plans.push_back(&*account.undo);
  const bool stopped = plan.outcome() == Outcome::interrupted;
  return !stopped && agreed(plans, terminal) ? run_job(job, terminal, log) : plan;
}

}  // namespace postferry::cli
