// What the commands on a job share: its accounts, and what the journal knows of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cli/job_file.h"
#include "cli/options.h"
#include "cli/report.h"
#include "engine/journal.h"

namespace postferry::cli {

/// What the journal knows of an account.
struct AccountPast {
  bool known = false;
  std::optional<RunRecord> last;     // of any command
  std::optional<RunRecord> carried;  // the last copy, if nothing was taken back since

  /// At the source, when last seen.
  std::optional<std::uint64_t> messages() const;
  /// Its last copy was, and still holds: a retry reaches only what failed.
  bool complete() const;
};

/// In the order of the accounts. What the journal refuses of one is told when that one is carried.
Task<std::vector<AccountPast>> pasts_of(Journal& journal, std::vector<PairOptions> accounts);

/// Whether --only lets the account of this name in.
bool is_chosen(const PairOptions& whole, const std::string& account);

/// Throws Error{usage} where --only lets none in: nothing done is not all done.
void check_only(const Job& job);

/// The job's journal for reading, also while a run writes it; an empty one where there is none.
std::unique_ptr<Journal> open_journal_to_look(const Job& job);

/// A report without accounts yet.
JobReport begin_report(const Job& job);

/// An empty report of an account.
Report report_of(const PairOptions& options);

}  // namespace postferry::cli
