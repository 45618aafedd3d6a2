#include "engine/crossing/crossing.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/crossing/deletions.h"
#include "engine/crossing/due.h"
#include "engine/crossing/lane.h"
#include "engine/crossing/lanes.h"
#include "engine/crossing/retry.h"
#include "engine/crossing/skip.h"
#include "engine/mapping.h"

namespace postferry {

namespace {

/// The options under which a folder counts as seen, that the source has no longer.
constexpr const char* kSeenMissing = "missing";

class Crossing {
 public:
  Crossing(Ends ends, AccountIdentity identity, CrossingOptions options, const StopRequest& stop)
      : ends_(ends),
        identity_(std::move(identity)),
        options_(std::move(options)),
        stop_(stop),
        hash_(options_.selection_hash()) {
    if (!ends_.turns) ends_.turns = &own_turns_;
    mirrors_ = options_.mirror_deletions;
  }

  Task<Ledger> run() {
    Executor& executor = (co_await current_scope()).executor();
    const TimePoint begun = executor.now();
    ledger_.account = identity_.name;
    account_ = co_await ends_.journal.account(identity_.name, identity_.source_identity,
                                              identity_.target_identity);
    first_run_ = co_await ends_.journal.is_new(account_);
    if (!options_.dry_run)
      run_ = co_await ends_.journal.begin_run(account_, unix_time(executor),
                                              options_.only_failed ? "retry" : "copy");
    Lane first;
    std::vector<Lane> idle;
    try {
      co_await begin(first);
      whole_ = co_await carry(
          {ends_, options_, stop_, account_, run_, identity_.source_identity, first_run_, far_,
           crew_helps_, folders_, records_, std::exchange(queue_, {}), ledger_,
           mirrors_ ? &deletions_ : nullptr, idle},
          std::move(first));
      if (whole_ && !ledger_.error) co_await delete_what_is_gone(idle);
      co_await say_goodbye(std::move(idle), ends_.observer);
    } catch (const Error& error) {
      halt(error);
    }
    conclude();
    if (!ledger_.error && !options_.dry_run)
      for (FolderId folder : missing_)
        co_await ends_.journal.complete(folder, std::nullopt, kSeenMissing, 0);
    ledger_.seconds = std::chrono::duration<double>(executor.now() - begun).count();
    if (!options_.dry_run)
      co_await shielded(ends_.journal.end_run(run_, unix_time(executor), ledger_));
    ledger_.run = run_.value;
    co_return std::move(ledger_);
  }

 private:
  Task<void> delete_what_is_gone(std::vector<Lane>& lanes) {
    if (options_.dry_run) {
      co_await deletions_.foretell(ends_.journal, account_, options_, ledger_);
    } else {
      co_await deletions_.carry_out(ends_, account_, options_, stop_, ledger_, lanes);
    }
  }

  // --- sessions

  /// The first sessions and the plan: a server that is busy or hangs up is waited for, one that
  /// cannot be reached is not.
  Task<void> begin(Lane& lane) {
    for (int attempt = 1;; ++attempt) {
      std::optional<Error> failure;
      try {
        co_await connect_first(lane);
        co_await plan(lane);
        co_return;
      } catch (const Error& error) {
        const bool busy =
            error.kind() == ErrorKind::transient || error.kind() == ErrorKind::throttled;
        if (!busy || remedy_for(error) == Remedy::stop || attempt > options_.retries ||
            stop_.requested())
          throw;
        failure = error;
      }
      lane = {};
      co_await wait_to_try_again(*failure, attempt, ends_.observer, stop_);
    }
  }

  Task<void> connect_first(Lane& lane) {
    co_await connect(lane, ends_.source, ends_.target);
    const bool target_far = lane.target_took >= options_.far;
    far_ = target_far || lane.source_took >= options_.far;
    crew_helps_ = target_far && lane.target->traits().waits_for_each;
  }

  // --- the plan

  Task<void> plan(Lane& lane) {
    std::vector<FolderInfo> source, target;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn([&]() -> Task<void> { source = co_await lane.source->list(); });
      group.spawn([&]() -> Task<void> { target = co_await lane.target->list(); });
      co_await group.join();
    });
    MappingRequest request{{}, std::move(target), lane.target->traits(), options_.map, {}};
    for (FolderRecord& record : co_await ends_.journal.folders(account_)) {
      // A name under which it has never been opened may be one that the target refuses.
      if (record.target_uid_validity) request.decided.emplace(record.source, record.target);
      records_.emplace(record.source, std::move(record));
    }
    leave_out_what_is_gone(request.decided, source);
    std::set<FolderName> listed;
    for (const FolderInfo& folder : source) listed.insert(folder.name);
    if (mirrors_) look_for_what_is_missing(source);
    std::erase_if(source,
                  [this](const FolderInfo& folder) { return !options_.wants(folder.name); });
    if (options_.only_failed) co_await leave_out_what_has_not_failed(source);
    request.source = std::move(source);
    Mapping mapping = map_folders(request);
    for (const std::string& text : mapping.notes) ends_.observer.note(Level::info, text);
    for (const FolderInfo& folder : mapping.left_out)
      ends_.observer.note(Level::warning,
                          "folder " + folder.name.to_string() +
                              " is left out: it shows mail of other folders (role " +
                              to_string(folder.role) + ")");
    folders_ = std::move(mapping.folders);
    ends_.source.carried(sources_of(folders_));
    for (const MappedFolder& folder : folders_) {
      FolderTally tally;
      tally.source = folder.source.name;
      tally.target = folder.target;
      tally.messages.seen = tally.messages.pending = folder.source.numbers.messages.value_or(0);
      ledger_.folders.push_back(std::move(tally));
    }
    if (!options_.dry_run) co_await follow_renamed(listed);
    const bool source_back = source_went_back(folders_, records_);
    if (source_back || target_went_back(folders_, records_)) {
      // Of a target each folder tells it by itself.
      if (source_back)
        ends_.observer.note(Level::warning,
                            "the source went back to what it was before, as when a backup is put "
                            "back; all its folders are looked at again");
      const std::string end = source_back ? "source" : "target";
      if (mirrors_) deletions_.doubt("the " + end + " went back to what it was before");
      if (!options_.dry_run) co_await ends_.journal.doubt_target(account_);
      for (auto& [name, record] : records_) record.completed.reset();
    }
    co_await queue_what_is_due(lane);
  }

  /// A folder that fills the target folder of one that is gone, and was never seen before, is that
  /// one under another name: its mail is there. Whether its UIDs still hold is seen as always.
  Task<void> follow_renamed(const std::set<FolderName>& listed) {
    for (const MappedFolder& folder : folders_) {
      if (records_.contains(folder.source.name)) continue;
      auto former = records_.end();
      for (auto at = records_.begin(); at != records_.end(); ++at) {
        const FolderRecord& record = at->second;
        if (listed.contains(at->first) || !record.target_uid_validity ||
            record.target != folder.target)
          continue;
        const bool same = record.source_uid_validity == folder.source.numbers.uid_validity;
        if (former == records_.end() || same) former = at;
      }
      if (former == records_.end()) continue;
      const FolderId id = former->second.id;
      co_await ends_.journal.rename_folder(id, folder.source.name);
      std::erase(missing_, id);
      auto node = records_.extract(former);
      node.key() = node.mapped().source = folder.source.name;
      node.mapped().completed.reset();
      records_.insert(std::move(node));
    }
  }

  Task<void> leave_out_what_has_not_failed(std::vector<FolderInfo>& folders) {
    std::set<FolderName> failed;
    for (const auto& [name, record] : records_) {
      const std::vector<FailureRow> rows = co_await ends_.journal.failures(record.id);
      if (!rows.empty() || subscription_refused(record)) failed.insert(name);
    }
    std::erase_if(folders, [&](const FolderInfo& folder) { return !failed.contains(folder.name); });
  }

  /// A source that lost a folder or its UIDs (a move half-way, a restored backup) may have lost
  /// mail too: no deletion is mirrored in the run that first sees it (DESIGN section 5).
  void look_for_what_is_missing(const std::vector<FolderInfo>& listed) {
    std::map<FolderName, const FolderInfo*> by_name;
    for (const FolderInfo& folder : listed) by_name.emplace(folder.name, &folder);
    for (const auto& [name, record] : records_) {
      const auto at = by_name.find(name);
      std::string what;
      if (at == by_name.end()) {
        if (!record.source_uid_validity || record.options_hash == kSeenMissing) continue;
        what = " is missing from the source";
        missing_.push_back(record.id);
      } else {
        const std::optional<std::uint32_t>& now = at->second->numbers.uid_validity;
        if (!now || !record.source_uid_validity || now == record.source_uid_validity) continue;
        what = " has another UIDVALIDITY than before";
      }
      deletions_.doubt("folder " + name.to_string() + what);
    }
  }

  Task<void> queue_what_is_due(Lane& lane) {
    queue_ = co_await what_is_due({ends_.journal, ends_.observer, options_, hash_, folders_,
                                   records_, ledger_.folders, lane.source});
    std::uint64_t messages = 0;
    for (const std::size_t index : queue_) messages += ledger_.folders[index].messages.seen;
    ends_.observer.planned(folders_.size(), messages);
  }

  void halt(const Error& error) {
    if (!ledger_.error) ledger_.error = error;
  }

  void conclude() {
    const Tally tally = ledger_.messages();
    if (ledger_.error) {
      const bool never_began = ledger_.folders.empty();
      const bool quota = ledger_.error->kind() == ErrorKind::quota;
      ledger_.outcome = never_began ? Outcome::failed
                        : quota     ? Outcome::partial
                                    : Outcome::interrupted;
    } else if (stop_.requested() && (tally.pending > 0 || !whole_ || !queue_.empty())) {
      ledger_.outcome = Outcome::interrupted;
      ledger_.error = stop_.reason();
    } else if (ledger_.folders_failed() > 0 || tally.rejected > tally.accepted ||
               ledger_.left_at_source() > 0 || (tally.pending > 0 && !options_.dry_run)) {
      ledger_.outcome = Outcome::partial;
    }
  }

  Ends ends_;
  FolderTurns own_turns_;
  Deletions deletions_{ends_.observer};
  bool mirrors_ = false;  // deletions, in this run
  AccountIdentity identity_;
  CrossingOptions options_;
  const StopRequest& stop_;
  const std::string hash_;
  AccountId account_;
  RunId run_;
  Ledger ledger_;
  std::vector<MappedFolder> folders_;
  std::map<FolderName, FolderRecord> records_;
  std::vector<FolderId> missing_;  // seen for the first time to be
  std::deque<std::size_t> queue_;
  bool first_run_ = false;
  bool far_ = false;  // from one of the servers
  bool crew_helps_ = false;
  bool whole_ = true;  // all that was due was come to
};

}  // namespace

Task<Ledger> cross_account(Ends ends, AccountIdentity account, CrossingOptions options,
                           const StopRequest& stop) {
  Crossing crossing(ends, std::move(account), std::move(options), stop);
  co_return co_await crossing.run();
}

}  // namespace postferry
