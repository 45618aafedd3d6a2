#include "engine/crossing/check.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/presets.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "engine/relay/check.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

Task<CheckReport> look(Wiring& wiring, const PairOptions& options, Journal* journal,
                       Observer& log) {
  if (options.target.relays())
    return check_relay({wiring.source(), wiring.relay(), *journal, log, wiring.spool()},
                       identity_of(options), crossing_options(options));
  return check_account({wiring.source(), wiring.target(), journal, log, identity_of(options),
                        crossing_options(options)});
}

}  // namespace

Report run_check(const PairOptions& options, Observer& log) {
  const std::string path = journal_path(options);
  std::unique_ptr<Journal> journal;
  if (std::filesystem::exists(path)) {
    journal = options.target.relays() ? open_journal_copy(path)
                                      : open_past_journal(path, JournalUse::look);
  } else if (options.target.relays()) {
    journal = open_journal_in_memory();
  }
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
    report.check = block_on(root, look(wiring, options, journal.get(), log));
    std::ranges::move(preset_notes(options, *report.check),
                      std::back_inserter(report.check->notes));
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
