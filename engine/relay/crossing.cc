#include "engine/relay/crossing.h"

#include <algorithm>
#include <utility>

#include "engine/async/scope.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/crossing/retry.h"
#include "engine/crossing/skip.h"
#include "engine/mapping.h"
#include "engine/relay/folder.h"
#include "engine/relay/lanes.h"

namespace postferry {

namespace {

/// What one message may hold in memory: here and on its way.
constexpr std::uint64_t kLaneBytes = 2 * kHoldLimit;

class RelayCrossing {
 public:
  RelayCrossing(RelayEnds ends, AccountIdentity identity, CrossingOptions options,
                const StopRequest& stop)
      : ends_(ends),
        identity_(std::move(identity)),
        options_(std::move(options)),
        stop_(stop),
        lanes_(ends_.relay, ends_.observer, options_, stop_, lane_count()) {}

  Task<Ledger> run() {
    Executor& executor = (co_await current_scope()).executor();
    const TimePoint begun = executor.now();
    ledger_.account = identity_.name;
    account_ = co_await ends_.journal.account(identity_.name, identity_.source_identity,
                                              identity_.target_identity);
    const bool first = co_await ends_.journal.is_new(account_);
    if (first) ends_.observer.note(Level::warning, what_a_relay_loses());
    if (!options_.dry_run)
      run_ = co_await ends_.journal.begin_run(account_, unix_time(executor),
                                              options_.only_failed ? "retry" : "copy");
    try {
      const bool listed = co_await begin();
      std::size_t next = 0;
      for (; next < folders_.size() && !over(); ++next) co_await carry(next);
      all_reached_ = listed && next == folders_.size();
    } catch (const Error& error) {
      lanes_.halt(error);
    }
    co_await leave_source();
    co_await lanes_.say_goodbye();
    conclude();
    ledger_.seconds = std::chrono::duration<double>(executor.now() - begun).count();
    if (!options_.dry_run)
      co_await shielded(ends_.journal.end_run(run_, unix_time(executor), ledger_));
    ledger_.run = run_.value;
    co_return std::move(ledger_);
  }

 private:
  std::size_t lane_count() const {
    const auto wanted = static_cast<std::uint64_t>(
        std::max(1, std::min(options_.sessions, ends_.relay.max_sessions())));
    return static_cast<std::size_t>(
        std::clamp<std::uint64_t>(options_.memory_bytes / kLaneBytes, 1, wanted));
  }

  bool over() const { return lanes_.halted() || stop_.requested(); }

  /// Both ends, and the folders. False: it was over before they were listed.
  Task<bool> begin() {
    co_await lanes_.session(0);
    for (int attempt = 1; !over(); ++attempt) {
      std::optional<Error> failure;
      try {
        source_ = co_await ends_.source.connect();
        co_await list();
        co_return true;
      } catch (const Error& error) {
        const bool busy =
            error.kind() == ErrorKind::transient || error.kind() == ErrorKind::throttled;
        if (!busy || attempt > options_.retries || stop_.requested()) throw;
        failure = error;
      }
      source_.reset();
      co_await wait_to_try_again(*failure, attempt, ends_.observer, stop_);
    }
    co_return false;
  }

  Task<void> list() {
    std::vector<FolderInfo> found = co_await source_->list();
    std::erase_if(found, [this](const FolderInfo& folder) { return !options_.wants(folder.name); });
    Mapping mapping = map_folders({std::move(found), {}, TargetTraits{}, {}, {}});
    for (const FolderInfo& folder : mapping.left_out)
      ends_.observer.note(Level::warning,
                          "folder " + folder.name.to_string() +
                              " is left out: it shows mail of other folders (role " +
                              to_string(folder.role) + ")");
    folders_.clear();
    ledger_.folders.clear();
    std::uint64_t messages = 0;
    for (const MappedFolder& folder : mapping.folders) {
      folders_.push_back(folder.source);
      FolderTally tally;
      tally.source = folder.source.name;
      tally.target = relay_target();
      tally.messages.seen = tally.messages.pending = folder.source.numbers.messages.value_or(0);
      messages += tally.messages.seen;
      ledger_.folders.push_back(std::move(tally));
    }
    ends_.source.carried(folders_);
    for (FolderRecord& record : co_await ends_.journal.folders(account_))
      records_.insert_or_assign(record.source, std::move(record));
    ends_.observer.planned(folders_.size(), messages);
  }

  /// A folder with the numbers it had when all of it had crossed holds nothing new.
  bool nothing_to_do(const FolderInfo& folder, FolderTally& tally) const {
    const auto at = records_.find(folder.name);
    if (at == records_.end() || !at->second.completed ||
        at->second.options_hash != options_.selection_hash())
      return false;
    const FolderNumbers& then = *at->second.completed;
    if (!same_messages(folder.numbers, then)) return false;
    tally.messages = {};
    tally.messages.seen = *then.messages;
    tally.messages.present = std::min(at->second.completed_present, *then.messages);
    tally.messages.filtered = tally.messages.seen - tally.messages.present;
    return true;
  }

  Task<void> carry(std::size_t index) {
    FolderTally& tally = ledger_.folders[index];
    ends_.observer.folder_begun(tally.source, tally.target);
    if (!nothing_to_do(folders_[index], tally)) co_await cross(index);
    ends_.observer.folder_ended(tally.source, tally);
  }

  /// One folder, again and again while that may help.
  Task<void> cross(std::size_t index) {
    FolderTally& tally = ledger_.folders[index];
    Windows windows;
    PoisonHunt hunt(condemned_in_a_row_);
    for (int failures = 0;;) {
      std::optional<Error> failure;
      RelayFolderResult result;
      bool connecting = false;
      try {
        connecting = source_ == nullptr;
        if (connecting) source_ = co_await ends_.source.connect();
        connecting = false;
        co_await relay_folder(
            {ends_, *source_, lanes_, options_, account_, run_, tally.source, hunt.at_once(),
             hunt.condemned(), [this] { return over(); },
             [this] { return lanes_.halted() || stop_.at_once(); }, windows, tally},
            result);
      } catch (const Error& error) {
        failure = error;
      }
      if (failure || result.stopped) source_.reset();
      tally.error.reset();
      if (result.more_windows && !over()) {
        co_await leave_source();
        failures = 0;
        continue;
      }
      windows_left_ = windows_left_ || result.more_windows;
      // A look that is refused was not worth it: servers have limits for logins, too.
      const bool only_a_look = connecting && !windows.first() && !windows.certain();
      if (!failure || only_a_look) co_return;
      tally.error = failure->in("folder " + tally.source.to_string());
      const bool closer = hunt.failed(*failure, result.progressed, result.under_way);
      failures = closer ? 1 : failures + 1;
      const Remedy remedy = remedy_for(*failure);
      if (remedy == Remedy::next_folder) co_return;
      if (remedy == Remedy::stop || failures > options_.retries || over()) {
        lanes_.halt(*tally.error);
        co_return;
      }
      co_await wait_to_try_again(*tally.error, failures, ends_.observer, stop_);
    }
  }

  Task<void> leave_source() {
    constexpr std::chrono::seconds kGoodbye{5};
    const std::unique_ptr<SourceSession> over = std::move(source_);
    if (!over) co_return;
    try {
      co_await with_timeout(kGoodbye, over->logout());
    } catch (const TimedOut&) {
      ends_.observer.note(Level::debug, "a server did not answer the goodbye");
    }
  }

  void conclude() {
    const Tally tally = ledger_.messages();
    if (lanes_.halted()) {
      ledger_.error = lanes_.halted();
      const ErrorKind kind = ledger_.error->kind();
      ledger_.outcome = ledger_.folders.empty() ? Outcome::failed
                        : kind == ErrorKind::quota || kind == ErrorKind::rejected
                            ? Outcome::partial
                            : Outcome::interrupted;
    } else if (stop_.requested() && (!all_reached_ || windows_left_ || tally.pending > 0)) {
      ledger_.outcome = Outcome::interrupted;
      ledger_.error = stop_.reason();
    } else if (ledger_.folders_failed() > 0 || tally.rejected > tally.accepted ||
               tally.unknown > 0) {
      ledger_.outcome = Outcome::partial;
    } else if (tally.pending > 0 && !options_.dry_run) {
      ledger_.outcome = Outcome::interrupted;  // some are put off
    }
  }

  RelayEnds ends_;
  AccountIdentity identity_;
  CrossingOptions options_;
  const StopRequest& stop_;
  RelayLanes lanes_;
  std::unique_ptr<SourceSession> source_;
  AccountId account_;
  RunId run_;
  Ledger ledger_;
  std::vector<FolderInfo> folders_;
  std::map<FolderName, FolderRecord> records_;
  int condemned_in_a_row_ = 0;
  bool all_reached_ = false;   // the source's folders are known, and each has been looked at
  bool windows_left_ = false;  // a source may have shown more, and was not asked
};

}  // namespace

std::optional<std::int64_t> due_again(int tries, std::int64_t since, std::int64_t now) {
  constexpr std::int64_t kMinute = 60, kLongest = std::int64_t{5} * 24 * 60 * kMinute;
  if (now - since >= kLongest) return std::nullopt;
  const std::int64_t wait = tries <= 1 ? 5 : tries == 2 ? 15 : tries == 3 ? 30 : 60;
  return now + wait * kMinute;
}

const char* what_a_relay_loses() {
  return "a relay takes messages only: the dates on which they arrived, their flags and their "
         "folders cannot cross, and what has been handed over cannot be looked at or taken back";
}

Task<Ledger> relay_account(RelayEnds ends, AccountIdentity account, CrossingOptions options,
                           const StopRequest& stop) {
  RelayCrossing crossing(ends, std::move(account), std::move(options), stop);
  co_return co_await crossing.run();
}

}  // namespace postferry
