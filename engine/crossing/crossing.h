// One account, once across: list, map, catalogue, settle, cross, account for it (DESIGN section 3).
// Knows the ports and nothing behind them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/async/blocking.h"
#include "engine/async/task.h"
#include "engine/crossing/folder_turns.h"
#include "engine/crossing/repairer.h"
#include "engine/journal.h"
#include "engine/ledger.h"
#include "engine/observer.h"
#include "engine/pace.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

struct CrossingOptions {
  std::vector<std::string> folders;   // globs over folder names; empty: all
  std::vector<std::string> excludes;  // globs
  std::vector<std::pair<FolderName, FolderName>> map;
  std::optional<std::int64_t> since, before;  // seconds UTC, on INTERNALDATE
  std::optional<std::uint64_t> max_size_bytes;
  std::uint64_t memory_bytes = 48u << 20;  // of message data
  int sessions = 4;                        // an end
  std::optional<int> sessions_afar;        // where a round trip takes long, if not as many
  /// A further session, which is a login at either end, is begun only for so many messages more.
  std::uint64_t messages_a_session = 0;
  std::chrono::milliseconds far{100};            // to connect and log in takes so long: it is far
  std::size_t alone_up_to = 16;                  // messages, which one session fills in alone
  int retries = 5;                               // in a row without progress
  std::chrono::milliseconds settle_still{5000};  // how long UIDNEXT must be still (DESIGN 4)
  /// After so long a copied message is removed from the source; nothing: never (--after-copy).
  std::optional<std::chrono::days> remove_after;
  bool mirror_deletions = false;
  bool force_deletions = false;
  bool only_failed = false;     // nothing but what failed before
  bool resend_unknown = false;  // to a relay: also what it may have taken already
  /// Nothing is written at either end, nor to the journal; what would be done is in the ledger.
  bool dry_run = false;

  /// Whether folders and excludes let this folder in.
  bool wants(const FolderName& folder) const;
  /// Whether a message of this size and date is to be copied; a date that is not told yet is no
  /// reason against it.
  bool wants(std::uint64_t size_bytes, const std::optional<InternalDate>& date) const;
  /// A hash of all that selects or maps, for the skip rule.
  std::string selection_hash() const;
};

struct Ends {
  Source& source;
  Target& target;
  Journal& journal;
  Observer& observer;
  FolderTurns* turns = nullptr;    // of all accounts carried at the same time; null: there is one
  Pace* pace = nullptr;            // of messages, of all accounts together; null: no limit
  Originals* originals = nullptr;  // of what is repaired; null: nothing is ever altered
};

/// The names and identities under which the journal knows the account.
struct AccountIdentity {
  std::string name, source_identity, target_identity;
};

/// A request to stop: finish what is in flight, commit, end with Outcome::interrupted. Once
/// requested, it stays so.
class StopRequest {
 public:
  StopRequest() = default;
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  virtual ~StopRequest() = default;
  void request() { requested_ = true; }
  virtual bool requested() const { return requested_; }
  /// What has been fetched and not sent is given up, too; else it still goes out.
  virtual bool at_once() const { return requested(); }
  /// What the account's ledger says of it; nothing, where it is the user's wish.
  virtual std::optional<Error> reason() const { return std::nullopt; }

 private:
  bool requested_ = false;
};

/// Carries one account over. Never throws but Cancelled and Error{journal|usage}: what goes wrong
/// with servers is in the ledger. `stop` is looked at between batches.
Task<Ledger> cross_account(Ends ends, AccountIdentity account, CrossingOptions options,
                           const StopRequest& stop);

}  // namespace postferry
