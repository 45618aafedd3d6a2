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
#include "engine/crossing/crossing.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/pace.h"

namespace postferry::cli {

/// Where the pair's journal is, or would be. Throws Error{usage} without a home directory.
std::string journal_path(const PairOptions& options);

/// Under which the journal knows the pair.
AccountIdentity identity_of(const PairOptions& options);

CrossingOptions crossing_options(const PairOptions& options);

enum class JournalUse {
  look,  // also while a run writes it
  change
};

/// A journal that is there. Throws Error{usage} when there is none yet.
std::unique_ptr<Journal> open_past_journal(const std::string& path, JournalUse use);

/// Writes nothing, which a journal that is only looked at could not bear. Throws Error{usage} where
/// the journal does not know the account.
Task<AccountId> known_account(Journal& journal, AccountIdentity identity);

/// What could not be copied, in the folders that the options choose.
Task<std::vector<FailedMessage>> failed_messages(Journal& journal, PairOptions options);

/// Settles for good what could not be copied, and lets go what was left at the source for want of a
/// copy, in the folders that the options choose.
Task<void> accept_all(Journal& journal, PairOptions options);

struct ExportRun {
  Observer& observer;
  const StopRequest& stop;
  int retries = 0;  // in a row without a message written
};

/// Fetches these messages and writes each into `directory`, which is made, and the server's words
/// beside it; what becomes of it is told there. One that is there from an earlier time is written.
/// A lost line is taken up again. Throws Error{local} and what a session throws.
Task<void> export_messages(Source& source, std::string directory,
                           std::vector<FailedMessage>& failed, ExportRun run);

/// accept_all, but not if any of them was to be exported and could not be.
Task<void> accept_failed(Journal& journal, PairOptions options, std::vector<FailedMessage>& failed,
                         Observer& log);

/// Adds what the run copied to `rates`, as far as it falls into them.
Task<void> add_rates(Journal& journal, AccountIdentity identity, RunId run, Rates& rates);

/// The folders that failed as a whole in the last copy that came to them, and the quota that
/// stopped the last copy: what they hold back is on no list of messages. Of the rest the ledger
/// tells nothing.
Task<Ledger> held_back(Journal& journal, PairOptions options);

/// Adds to what a retry came to what it cannot try, because whole folders failed in the last copy
/// or the account was stopped: then it is not complete.
Task<void> add_held_back(Journal& journal, PairOptions options, Ledger& retried, Report& report);

/// `held`, and partial while any has not been settled, or could not be exported.
Ledger ledger_of(const std::vector<FailedMessage>& failed, Ledger held);

/// The account's run that is meant, of `last` the last one that copied; nothing if there is none.
Task<std::optional<RunId>> run_meant(Journal& journal, AccountIdentity identity, std::string run);

/// What taking a run back came to, as a ledger without folders.
Ledger ledger_of(const UndoReport& undo);

/// What comparing an account came to, as a run's ledger without folders.
Ledger ledger_of(const VerifyReport& verify);

/// With what an account is carried, besides its ends. All must outlive the carrying.
struct Carriage {
  Journal& journal;
  Observer& observer;
  FolderTurns* turns;  // of all accounts; null: there is one
  Pace* pace;          // of messages; null: no limit
  const StopRequest& stop;
  Originals* originals = nullptr;  // of what is repaired; null: nothing is
};

/// Where the journal knows the account under other ends and --same-account says that they are the
/// same: looks whether that is so, and then names them anew in the journal. Throws Error{usage} if
/// it is not; then nothing is written.
Task<void> adopt_names(WiredAccount& ends, PairOptions options, Journal& journal,
                       Observer& observer);

/// As cross_account, or as relay_account where the target relays; after adopt_names.
Task<Ledger> carry_account(WiredAccount& ends, SpoolFactory& spool, PairOptions options,
                           CrossingOptions crossing, Carriage carriage);

/// What --limit-messages asks for.
std::optional<Pace> pace_of_messages(const PairOptions& options);

/// The journal for a crossing. A dry run looks into a copy, and leaves none behind.
std::unique_ptr<Journal> open_journal_to_carry(const PairOptions& options);

/// Why messages were refused, or left at the source, as the journal remembers it.
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
