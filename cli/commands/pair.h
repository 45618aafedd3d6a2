// What the commands on a pair of mailboxes share: its journal, its identity, its signals.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/wiring.h"
#include "connectors/net/uv_executor.h"
#include "engine/crossing.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/pace.h"

namespace postferry::cli {

/// Where the pair's journal is, or would be. Throws Error{usage} without a home directory.
std::string journal_path(const PairOptions& options);

/// Under which the journal knows the pair.
AccountIdentity identity_of(const PairOptions& options);

CrossingOptions crossing_options(const PairOptions& options);

/// The pair's journal for reading, also while a run writes it. Throws Error{usage} when there is
/// none yet.
std::unique_ptr<Journal> open_pair_journal(const std::string& path);

/// What could not be copied, in the folders that the options choose.
Task<std::vector<FailedMessage>> failed_messages(Journal& journal, PairOptions options);

/// Settles for good what could not be copied, in the folders that the options choose.
Task<void> accept_all(Journal& journal, PairOptions options);

/// What comparing an account came to, as a run's ledger without folders.
Ledger ledger_of(const VerifyReport& verify);

/// With what an account is carried, besides its ends. All must outlive the carrying.
struct Carriage {
  Journal& journal;
  Observer& observer;
  FolderTurns* turns;  // of all accounts; null: there is one
  Pace* pace;          // of messages; null: no limit
  const StopRequest& stop;
};

/// As cross_account, or as relay_account where the target relays.
Task<Ledger> carry_account(WiredAccount& ends, SpoolFactory& spool, PairOptions options,
                           CrossingOptions crossing, Carriage carriage);

/// What --limit-messages asks for.
std::optional<Pace> pace_of_messages(const PairOptions& options);

/// The journal for a crossing. A dry run looks into a copy, and leaves none behind.
std::unique_ptr<Journal> open_journal_to_carry(const PairOptions& options);

/// Why messages were refused, as the journal remembers it.
Task<std::vector<Refusal>> refusals(Journal& journal, AccountIdentity identity);

/// Remembers how much there is to copy.
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

/// While it lives, the first SIGINT or SIGTERM asks for the end, and the second is the end.
class SignalWatch {
 public:
  /// All must outlive it.
  SignalWatch(net::UvExecutor& executor, const PairOptions& options, Terminal& terminal,
              Observer& log, StopRequest& stop);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  net::UvExecutor& executor_;
};

}  // namespace postferry::cli
