#include <fmt/core.h>
#include <unistd.h>

#include <iostream>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/format.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

/// The run that is meant; of `last`, the last one that copied.
Task<RunId> run_meant(Journal& journal, AccountIdentity identity, std::string run) {
  if (run != "last") co_return RunId{std::stoll(run)};
  constexpr std::size_t kLookedAt = 1000;
  const AccountId account =
      co_await journal.account(identity.name, identity.source_identity, identity.target_identity);
  const std::vector<RunRecord> runs = co_await journal.runs(account, kLookedAt);
  for (const RunRecord& record : runs)
    if (!record.command.starts_with("undo")) co_return record.id;
  throw Error(ErrorKind::usage, "the journal has no run");
}

/// Whether the answer on the terminal is yes.
bool agreed(const UndoReport& plan, Terminal& terminal) {
  terminal.line(
      fmt::format("Run {} appended {}; {} would be removed from the target, {} kept, {} gone.",
                  plan.run.value, counted(plan.appended(), "message", "messages"),
                  with_commas(plan.removed()), with_commas(plan.kept()), with_commas(plan.gone())));
  terminal.line("Remove them? yes or no");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes" || answer == "y";
}

}  // namespace

Report run_undo(const PairOptions& options, Terminal& terminal, Observer& log) {
  const bool asks = !options.yes && !options.dry_run;
  if (asks && (::isatty(0) == 0 || !terminal.interactive())) {
    throw Error(ErrorKind::usage,
                "undo asks on a terminal; elsewhere it needs --yes, or --dry-run to look first");
  }
  const std::string path = journal_path(options);
  std::unique_ptr<Journal> journal = open_pair_journal(path);
  if (!options.dry_run) {
    journal.reset();
    journal = open_journal(path);
  }
  Wiring wiring(options, log);
  StopRequest stop;
  const SignalWatch signals(wiring.executor(), options, terminal, log, stop);
  const AccountIdentity identity = identity_of(options);
  const RunId run = block_on(wiring.executor(), run_meant(*journal, identity, options.run));
  CrossingOptions crossing = crossing_options(options);
  const Ends ends{wiring.source(), wiring.target(), *journal, log};
  Report report;
  report.source = options.source.to_string();
  report.target = options.target.to_string();
  report.ledger.account = account_name(options);
  report.dry_run = options.dry_run;
  crossing.dry_run = options.dry_run || asks;
  report.undo = block_on(wiring.executor(), undo_run(ends, identity, run, crossing, stop));
  if (asks && !report.undo->error && report.undo->removed() > 0) {
    if (agreed(*report.undo, terminal)) {
      crossing.dry_run = false;
      report.undo = block_on(wiring.executor(), undo_run(ends, identity, run, crossing, stop));
    } else {
      report.dry_run = true;
    }
  }
  const UndoReport& undo = *report.undo;
  report.ledger.error = undo.error;
  const bool folders_failed = std::ranges::any_of(
      undo.folders, [](const UndoneFolder& folder) { return folder.error.has_value(); });
  report.ledger.outcome = undo.stopped                        ? Outcome::interrupted
                          : folders_failed || undo.kept() > 0 ? Outcome::partial
                                                              : Outcome::complete;
  return report;
}

}  // namespace postferry::cli
