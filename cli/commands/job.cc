#include "cli/commands/job.h"

#include <algorithm>
#include <filesystem>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "engine/error.h"
#include "engine/glob.h"
#include "engine/proof/undo.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

Task<AccountPast> past_of(Journal& journal, AccountIdentity identity) {
  AccountPast past;
  past.known = co_await journal.knows(identity.name);
  if (!past.known) co_return past;
  const AccountId account =
      co_await journal.account(identity.name, identity.source_identity, identity.target_identity);
  constexpr std::size_t kLookedAt = 100;
  for (RunRecord& run : co_await journal.runs(account, kLookedAt)) {
    if (!past.last) past.last = run;
    if (is_undo(run)) break;
    if (run.command != "copy") continue;
    past.carried = std::move(run);
    break;
  }
  co_return past;
}

}  // namespace

Task<std::vector<AccountPast>> pasts_of(Journal& journal, std::vector<PairOptions> accounts) {
  std::vector<AccountPast> pasts;
  for (const PairOptions& options : accounts) {
    AccountPast past;
    try {
      past = co_await past_of(journal, identity_of(options));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::usage) throw;
    }
    pasts.push_back(past);
  }
  co_return pasts;
}

std::optional<std::uint64_t> AccountPast::messages() const {
  const std::optional<RunRecord>& run = carried ? carried : last;
  if (!run || !run->ended_at || run->ledger.folders.empty()) return std::nullopt;
  return run->ledger.messages().seen;
}

bool AccountPast::complete() const {
  return carried && carried->ended_at && carried->ledger.outcome == Outcome::complete;
}

bool is_chosen(const PairOptions& whole, const std::string& account) {
  const auto matches = [&](const std::string& glob) {
    return glob_matches(glob, FolderName({account}));
  };
  return whole.only.empty() || std::ranges::any_of(whole.only, matches);
}

void check_only(const Job& job) {
  if (std::ranges::none_of(job.accounts, [&](const PairOptions& account) {
        return is_chosen(job.whole, account.account);
      }))
    throw Error(ErrorKind::usage, "no account matches --only");
}

std::unique_ptr<Journal> open_journal_to_look(const Job& job) {
  return std::filesystem::exists(job.journal()) ? open_journal_read_only(job.journal())
                                                : open_journal_in_memory();
}

JobReport begin_report(const Job& job) {
  JobReport report;
  report.path = job.path;
  report.dry_run = job.whole.dry_run;
  return report;
}

Report report_of(const PairOptions& options) {
  Report report;
  report.source = options.source.to_string();
  report.target = options.target.to_string();
  report.ledger.account = account_name(options);
  return report;
}

}  // namespace postferry::cli
