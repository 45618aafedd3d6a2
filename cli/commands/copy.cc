#include <filesystem>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/heartbeat.h"
#include "cli/observers.h"
#include "cli/progress_tty.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "engine/crossing.h"
#include "engine/relay_crossing.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

/// A dry run looks into the journal that is there, and leaves none behind.
std::unique_ptr<Journal> open_the_journal(const PairOptions& options) {
  const std::string path = journal_path(options);
  if (!options.dry_run) return open_journal(path);
  return std::filesystem::exists(path) ? open_journal_copy(path) : open_journal_in_memory();
}

/// Remembers how much a dry run would copy.
class PlanCount final : public Observer {
 public:
  explicit PlanCount(std::map<FolderName, std::uint64_t>& bytes) : bytes_(bytes) {}
  void folder_planned(const FolderName& folder, std::uint64_t, std::uint64_t,
                      std::uint64_t bytes_to_copy) override {
    bytes_[folder] = bytes_to_copy;
  }

 private:
  std::map<FolderName, std::uint64_t>& bytes_;
};

Task<Ledger> cross(Wiring& wiring, const PairOptions& options, Journal& journal, Observer& observer,
                   const StopRequest& stop) {
  if (options.target.relays())
    return relay_account({wiring.source(), wiring.relay(), journal, observer, wiring.spool()},
                         identity_of(options), crossing_options(options), stop);
  return cross_account({wiring.source(), wiring.target(), journal, observer}, identity_of(options),
                       crossing_options(options), stop);
}

/// Why messages were refused, as the journal remembers it.
Task<std::vector<Refusal>> refusals(Journal& journal, AccountIdentity identity) {
  constexpr std::size_t kMost = 1000;
  std::vector<Refusal> found;
  const AccountId account =
      co_await journal.account(identity.name, identity.source_identity, identity.target_identity);
  const std::vector<FolderRecord> folders = co_await journal.folders(account);
  for (const FolderRecord& folder : folders) {
    const std::vector<FailureRow> rows = co_await journal.failures(folder.id);
    for (const FailureRow& row : rows) {
      if (row.accepted || row.due_at) continue;
      if (found.size() == kMost) co_return found;
      found.push_back({folder.source, row.key, row.text});
    }
  }
  co_return found;
}

}  // namespace

Report run_copy(const PairOptions& options, Terminal& terminal, Observer& log) {
  Wiring wiring(options, log);
  const std::unique_ptr<Journal> journal = open_the_journal(options);
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
  report.ledger = block_on(executor, cross(wiring, options, *journal, observers, stop));
  if (report.ledger.messages().rejected > 0) {
    report.refusals = block_on(executor, refusals(*journal, identity_of(options)));
  }
  report.ledger.account = account_name(options);
  return report;
}

}  // namespace postferry::cli
