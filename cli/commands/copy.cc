#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/heartbeat.h"
#include "cli/kept_originals.h"
#include "cli/observers.h"
#include "cli/progress_tty.h"
#include "cli/proof_text.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "engine/crossing/crossing.h"
#include "engine/crossing/fleet.h"

namespace postferry::cli {

Report run_copy(const PairOptions& options, Terminal& terminal, Observer& log) {
  Wiring wiring(options, log);
  const std::unique_ptr<Journal> journal = open_journal_to_carry(options);
  net::UvExecutor& executor = wiring.executor();
  StopRequest stop;
  const SignalWatch signals(executor, options, terminal, log, stop);
  std::optional<ProgressTty> progress;
  std::optional<Heartbeat> heartbeat;
  Report report;
  PlanCount plan(report.planned_bytes);
  std::vector<Observer*> watchers{&log};
  if (options.dry_run) watchers.push_back(&plan);
  if (options.progress == Progress::automatic && !options.quiet) {
    progress.emplace(terminal, executor);
    heartbeat.emplace(executor, std::chrono::milliseconds(100), [&progress] { progress->tick(); });
    watchers.push_back(&*progress);
  }
  Observers observers(watchers);

  report.dry_run = options.dry_run;
  report.source = options.source.to_string();
  report.target = options.target.to_string();
  std::optional<Pace> pace = pace_of_messages(options);
  KeptOriginals originals(options);
  const auto carry = [&] {
    return carry_account(wiring.account(), wiring.spool(), options, crossing_options(options),
                         {*journal, observers, nullptr, pace ? &*pace : nullptr, stop, &originals});
  };
  const auto waits = [&](const Ledger& ledger, std::int64_t until) {
    log.note(Level::warning, std::string(ledger.error->what()) + "; goes on at " + utc_text(until) +
                                 " UTC, or run the same command again");
  };
  report.ledger = block_on(executor, carry_alone(carry, options.wait, waits, stop));
  report.repaired = originals.repaired();
  if (!options.dry_run) block_on(executor, add_held_back(*journal, options, report.ledger, report));
  if (report.ledger.messages().rejected > 0 || report.ledger.left_at_source() > 0) {
    report.refusals = block_on(executor, refusals(*journal, identity_of(options)));
  }
  report.ledger.account = account_name(options);
  return report;
}

}  // namespace postferry::cli
