#include <utility>

#include "cli/commands/commands.h"
#include "cli/commands/job.h"
#include "cli/commands/pair.h"
#include "cli/kept_originals.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kRunsShown = 1000;

Task<std::vector<RunRecord>> all_runs(Journal& journal, AccountIdentity identity) {
  const AccountId account = co_await known_account(journal, std::move(identity));
  co_return co_await journal.runs(account, kRunsShown);
}

Task<std::optional<RunRecord>> one_run(Journal& journal, AccountIdentity identity,
                                       std::string run) {
  const AccountId account = co_await known_account(journal, std::move(identity));
  if (run != "last") co_return co_await journal.run(account, RunId{std::stoll(run)});
  std::vector<RunRecord> last = co_await journal.runs(account, 1);
  if (last.empty()) co_return std::nullopt;
  co_return std::move(last[0]);
}

/// What that run sent with repairs. The originals lie beside the journal.
Task<std::vector<RepairedMessage>> repaired_in(Journal& journal, PairOptions options, RunId run) {
  constexpr std::size_t kRowsAtOnce = 4000;
  std::vector<RepairedMessage> found;
  const AccountId account = co_await known_account(journal, identity_of(options));
  for (const FolderRecord& folder : co_await journal.folders(account)) {
    MessageKey after;
    for (;;) {
      const std::vector<MessageRow> rows = co_await journal.rows(folder.id, after, kRowsAtOnce);
      if (rows.empty()) break;
      after = rows.back().key;
      for (const MessageRow& row : rows)
        if (row.run == run && row.repairs)
          found.push_back({folder.source, row.key, row.repairs, originals_of(options)});
    }
  }
  co_return found;
}

}  // namespace

Task<void> add_rates(Journal& journal, AccountIdentity identity, RunId run, Rates& rates) {
  const AccountId account = co_await known_account(journal, std::move(identity));
  for (const RatePoint& point :
       co_await journal.rates(account, run, rates.from, rates.step_seconds)) {
    // What was found again later bears a later time.
    if (point.step >= std::ssize(rates.messages)) continue;
    rates.messages[static_cast<std::size_t>(point.step)] += point.messages;
    rates.bytes[static_cast<std::size_t>(point.step)] += point.bytes;
  }
}

Report run_status(const PairOptions& options) {
  ManualExecutor executor;
  const std::string path = journal_path(options);
  const std::unique_ptr<Journal> journal = open_past_journal(path, JournalUse::look);
  Report report = report_of(options);
  report.history = RunHistory{path, block_on(executor, all_runs(*journal, identity_of(options))),
                              journal_holder(path)};
  return report;
}

Report run_report(const PairOptions& options) {
  ManualExecutor executor;
  const std::unique_ptr<Journal> journal =
      open_past_journal(journal_path(options), JournalUse::look);
  Report report = report_of(options);
  report.past = block_on(executor, one_run(*journal, identity_of(options), options.run));
  if (!report.past) throw Error(ErrorKind::usage, "the journal has no run " + options.run);
  report.ledger = report.past->ledger;
  report.ledger.account = account_name(options);
  if (options.format == ReportFormat::html && report.past->ended_at) {
    report.rates = empty_rates(report.past->started_at, *report.past->ended_at);
    block_on(executor, add_rates(*journal, identity_of(options), report.past->id, *report.rates));
  }
  if (report.past->command == "retry")
    report.repaired = block_on(executor, repaired_in(*journal, options, report.past->id));
  for (FailedMessage& failed : block_on(executor, failed_messages(*journal, options))) {
    if (failed.row.run == report.past->id && !failed.row.accepted)
      report.refusals.push_back(
          {failed.folder, failed.row.key, failed.row.text, failed.row.left.has_value()});
  }
  return report;
}

}  // namespace postferry::cli
