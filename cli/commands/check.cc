#include "engine/check.h"

#include <csignal>
#include <filesystem>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"

namespace postferry::cli {

Report run_check(const PairOptions& options, Observer& log) {
  const std::string path = journal_path(options);
  std::unique_ptr<Journal> journal;
  if (std::filesystem::exists(path)) journal = open_pair_journal(path);
  Wiring wiring(options, log);
  net::UvExecutor& executor = wiring.executor();
  Scope root(executor);
  const auto stop = [&root](int) { root.cancel(); };
  executor.on_signal(SIGINT, stop);
  executor.on_signal(SIGTERM, stop);

  Report report;
  report.source = options.source.to_string();
  report.target = options.target.to_string();
  report.ledger.account = account_name(options);
  const TimePoint begun = executor.now();
  try {
    report.check =
        block_on(root, check_account({wiring.source(), wiring.target(), journal.get(), log,
                                      identity_of(options), crossing_options(options)}));
    if (!report.check->problems.empty()) report.ledger.outcome = Outcome::partial;
  } catch (const Cancelled&) {
    report.ledger.outcome = Outcome::interrupted;
    log.note(Level::warning, "stopped before both ends had been looked at");
  }
  executor.on_signal(SIGINT, nullptr);
  executor.on_signal(SIGTERM, nullptr);
  report.ledger.seconds = std::chrono::duration<double>(executor.now() - begun).count();
  return report;
}

}  // namespace postferry::cli
