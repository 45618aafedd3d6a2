#include "engine/crossing.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/due.h"
#include "engine/folder_crossing.h"
#include "engine/glob.h"
#include "engine/lane.h"
#include "engine/mapping.h"
#include "engine/retry.h"
#include "engine/skip.h"

namespace postferry {

namespace {

constexpr std::uint64_t kSmallFolder = 64;  // messages
constexpr std::size_t kForksAtMost = 12;    // of a lane

class Crossing {
 public:
  Crossing(Ends ends, AccountIdentity identity, CrossingOptions options, const StopRequest& stop)
      : ends_(ends),
        identity_(std::move(identity)),
        options_(std::move(options)),
        stop_(stop),
        hash_(options_.selection_hash()),
        crew_(ends_.target, ends_.observer) {
    if (!ends_.turns) ends_.turns = &own_turns_;
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
    try {
      co_await begin(first);
      co_await carry(std::move(first));
    } catch (const Error& error) {
      halt(error);
    }
    if (lost_ && !ledger_.error) halt(*lost_);
    conclude();
    if (!ledger_.error)
      for (FolderId folder : missing_) co_await ends_.journal.complete(folder, std::nullopt, "", 0);
    ledger_.seconds = std::chrono::duration<double>(executor.now() - begun).count();
    if (!options_.dry_run)
      co_await shielded(ends_.journal.end_run(run_, unix_time(executor), ledger_));
    ledger_.run = run_.value;
    co_return std::move(ledger_);
  }

 private:
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

  Task<void> leave_source(Lane& lane) {
    const std::unique_ptr<SourceSession> over = std::move(lane.source);
    if (over) co_await over->logout();
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
    if (options_.mirror_deletions) look_for_what_is_missing(source);
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
    if (target_went_back(folders_, records_)) {
      if (!options_.dry_run) co_await doubt_all(ends_.journal, account_);
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
      if (!rows.empty()) failed.insert(name);
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
        if (!record.completed) continue;  // seen missing before, or never whole
        what = " is missing from the source";
        missing_.push_back(record.id);
      } else {
        const std::optional<std::uint32_t>& now = at->second->numbers.uid_validity;
        if (!now || !record.source_uid_validity || now == record.source_uid_validity) continue;
        what = " has another UIDVALIDITY than before";
      }
      options_.mirror_deletions = false;
      ends_.observer.note(Level::warning, "folder " + name.to_string() + what +
                                              "; nothing is deleted on the target in this run");
    }
  }

  Task<void> queue_what_is_due(Lane& lane) {
    queue_ = co_await what_is_due({ends_.journal, ends_.observer, options_, hash_, folders_,
                                   records_, ledger_.folders, lane.source});
    rank_.resize(folders_.size());
    std::uint64_t messages = 0;
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      rank_[queue_[i]] = i;
      messages += ledger_.folders[queue_[i]].messages.seen;
    }
    ends_.observer.planned(folders_.size(), messages);
  }

  // --- the work

  /// Sessions that the target bears, of those that are wanted.
  std::size_t at_target() const {
    const int sessions =
        far_ ? options_.sessions_afar.value_or(options_.sessions) : options_.sessions;
    return static_cast<std::size_t>(
        std::clamp(ends_.target.max_sessions(), 1, std::max(1, sessions)));
  }

  /// As many as the work is worth, and the ends bear.
  std::size_t lanes_wanted() const {
    const auto most =
        std::min<std::size_t>({at_target(), static_cast<std::size_t>(ends_.source.max_sessions()),
                               std::max<std::size_t>(1, queue_.size())});
    const std::uint64_t of_one = options_.messages_a_session;
    if (of_one == 0) return most;
    std::uint64_t messages = 0;
    for (const std::size_t index : queue_)
      messages += folders_[index].source.numbers.messages.value_or(of_one);
    return std::min<std::size_t>(most, 1 + messages / of_one);
  }

  Task<void> carry(Lane first) {
    const std::size_t lanes = lanes_wanted();
    lanes_alive_ = lanes;
    room_.emplace(room_for_all(options_.memory_bytes, lanes));
    crew_.allow(at_target());
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(work(std::move(first)));
      for (std::size_t i = 1; i < lanes; ++i) group.spawn(work(Lane{}));
      co_await group.join();
    });
  }

  /// The next folder whose target folder nobody is filling: what several send to one goes there one
  /// after the other, or each would take the others' new mail for a stranger's. Whoever fills it
  /// goes on with those left out here.
  std::optional<std::size_t> next() const {
    if (halted_ || stop_.requested()) return std::nullopt;
    const auto at = std::ranges::find_if(
        queue_, [this](std::size_t index) { return !filling_.contains(folders_[index].target); });
    return at == queue_.end() ? std::nullopt : std::optional(*at);
  }

  void claim(std::size_t index) {
    std::erase(queue_, index);
    filling_.insert(folders_[index].target);
  }
  /// To where it stood in the queue.
  void put_back(std::size_t index) {
    const auto before = [this](std::size_t other, std::size_t of) {
      return rank_[other] < rank_[of];
    };
    queue_.insert(std::ranges::lower_bound(queue_, index, before), index);
  }
  void release(std::size_t index) { filling_.erase(folders_[index].target); }

  Task<void> work(Lane lane) {
    Permit place = co_await crew_.place();
    Share share(*room_);
    while (const std::optional<std::size_t> index = next()) {
      if (lane.whole() && small(*index)) {
        const bool lost = co_await carry_small(lane, share);
        if (lost) lane = {};
        continue;
      }
      claim(*index);
      const bool lane_ends = co_await carry_folder(lane, *index, share);
      release(*index);
      if (lane_ends) {
        crew_.lose(std::move(place));
        break;
      }
    }
    --lanes_alive_;
    co_await say_goodbye(lane, ends_.observer);
  }

  /// Little mail, so that its crossing is mostly waiting for answers.
  bool small(std::size_t index) const {
    const auto messages = folders_[index].source.numbers.messages;
    return messages && *messages <= kSmallFolder && !alone_.contains(index);
  }

  /// Crosses the small folders, several at a time over the lane's two connections. True: a
  /// connection was lost. What was on it is back in the queue, and goes alone from now on.
  Task<bool> carry_small(Lane& lane, Share& share) {
    const std::size_t of_all = (queue_.size() + lanes_alive_ - 1) / lanes_alive_;
    const std::size_t wanted = std::min(kForksAtMost, of_all);
    std::vector<Lane> forks;
    while (forks.size() < wanted) {
      Lane fork{lane.source->fork(), lane.target->fork()};
      if (!fork.whole()) break;
      forks.push_back(std::move(fork));
    }
    if (forks.size() < 2) {
      if (const auto index = next()) alone_.insert(*index);
      co_return false;
    }
    bool lost = false;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      for (Lane& fork : std::exchange(forks, {}))
        group.spawn(work_on_fork(std::move(fork), share, lost));
      co_await group.join();
    });
    co_return lost;
  }

  Task<void> work_on_fork(Lane fork, Share& share, bool& lost) {
    Windows windows;                       // neither of them has work here
    PoisonHunt hunt(condemned_in_a_row_);  // what fails goes alone
    while (const auto first = next()) {
      const std::size_t index = *first;
      if (lost || !small(index)) break;
      claim(index);
      FolderTally& tally = ledger_.folders[index];
      ends_.observer.folder_begun(tally.source, tally.target);
      FolderCrossingResult result;
      const std::optional<Error> failure =
          co_await cross(fork, index, share, hunt, windows, result);
      release(index);
      if (failure && remedy_for(*failure) == Remedy::again) {
        lost = true;
        alone_.insert(index);
        put_back(index);
        co_return;
      }
      tally.error.reset();
      if (!failure) lost_.reset();
      if (failure) {
        tally.error = failure->in("folder " + tally.source.to_string());
        if (remedy_for(*failure) != Remedy::next_folder) halt(*tally.error);
      }
      ends_.observer.folder_ended(tally.source, tally);
      lost = lost || result.stopped || result.source_over;
      if (failure) co_return;
    }
  }

  /// One attempt at one folder.
  Task<std::optional<Error>> cross(Lane& lane, std::size_t index, Share& share,
                                   const PoisonHunt& hunt, Windows& windows,
                                   FolderCrossingResult& result) {
    std::optional<Error> failure;
    try {
      FolderCrossingRequest request{ends_,
                                    *lane.source,
                                    *lane.target,
                                    options_,
                                    account_,
                                    run_,
                                    identity_.source_identity,
                                    folders_[index],
                                    share,
                                    slowest_batch_,
                                    hunt.at_once(),
                                    hunt.condemned(),
                                    first_run_ && tried_.insert(index).second,
                                    [this] { return stop_.requested() || halted_; },
                                    [this] { return stop_.at_once() || halted_; },
                                    crew_helps_ ? &crew_ : nullptr,
                                    windows,
                                    ledger_.folders[index]};
      co_await cross_folder(std::move(request), result);
    } catch (const Error& error) {
      failure = error;
    }
    slowest_batch_ = std::max(slowest_batch_, result.slowest_batch);
    co_return failure;
  }

  /// Crosses one folder, again and again while that may help. True: this lane has no place at the
  /// server, and the folder is back in the queue for another lane.
  Task<bool> carry_folder(Lane& lane, std::size_t index, Share& share) {
    MappedFolder& folder = folders_[index];
    FolderTally& tally = ledger_.folders[index];
    ends_.observer.folder_begun(folder.source.name, folder.target);
    Windows windows;
    PoisonHunt hunt(condemned_in_a_row_);
    for (int failures = 0;;) {
      std::optional<Error> failure;
      FolderCrossingResult result;
      bool connecting = false;
      try {
        connecting = !lane.whole();
        if (connecting) co_await connect(lane, ends_.source, ends_.target);
        connecting = false;
      } catch (const Error& error) {
        failure = error;
      }
      if (!failure) failure = co_await cross(lane, index, share, hunt, windows, result);
      if (failure || result.stopped) lane = {};
      if (result.source_over || result.more_windows) co_await leave_source(lane);
      if (result.more_windows && !halted_ && !stop_.requested()) {
        failures = 0;
        continue;
      }
      windows_left_ = windows_left_ || result.more_windows;
      // A look that is refused was not worth it: servers have limits for logins, too.
      const bool only_a_look = connecting && !windows.first() && !windows.certain();
      if (!failure || only_a_look) {
        tally.error.reset();
        lost_.reset();
        ends_.observer.folder_ended(folder.source.name, tally);
        co_return false;
      }
      const bool crowded =
          failure->kind() == ErrorKind::throttled && !failure->retry_after() && !result.progressed;
      if ((connecting || crowded) && lanes_alive_ > 1 &&
          failure->kind() != ErrorKind::unreachable) {
        ends_.observer.note(Level::info,
                            std::string("going on with fewer sessions: ") + failure->what());
        put_back(index);
        co_return true;
      }
      tally.error = failure->in("folder " + folder.source.name.to_string());
      const bool closer = hunt.failed(*failure, result.progressed, result.under_way);
      failures = closer ? 1 : failures + 1;
      const Remedy remedy = remedy_for(*failure);
      if (remedy != Remedy::again || failures > options_.retries || halted_ || stop_.requested()) {
        const bool broke =
            failure->kind() == ErrorKind::transient || failure->kind() == ErrorKind::protocol;
        if (broke && !connecting && !lost_ && !stop_.requested()) {
          lost_ = *tally.error;
        } else if (remedy != Remedy::next_folder) {
          halt(*tally.error);
        }
        ends_.observer.folder_ended(folder.source.name, tally);
        co_return false;
      }
      co_await wait_to_try_again(*tally.error, failures, ends_.observer, stop_);
    }
  }

  void halt(const Error& error) {
    halted_ = true;
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
    } else if (stop_.requested() && (tally.pending > 0 || windows_left_ || !queue_.empty())) {
      ledger_.outcome = Outcome::interrupted;
      ledger_.error = stop_.reason();
    } else if (ledger_.folders_failed() > 0 || tally.rejected > tally.accepted ||
               (tally.pending > 0 && !options_.dry_run)) {
      ledger_.outcome = Outcome::partial;
    }
  }

  Ends ends_;
  FolderTurns own_turns_;
  AccountIdentity identity_;
  CrossingOptions options_;
  const StopRequest& stop_;
  const std::string hash_;
  AccountId account_;
  RunId run_;
  Ledger ledger_;
  std::vector<MappedFolder> folders_;
  std::map<FolderName, FolderRecord> records_;
  std::vector<FolderId> missing_;  // since their last completed crossing
  std::deque<std::size_t> queue_;
  std::set<FolderName> filling_;   // target folders
  std::vector<std::size_t> rank_;  // of each folder in the queue
  std::set<std::size_t> tried_;
  std::set<std::size_t> alone_;  // small folders that share no connection, for good reasons
  std::size_t lanes_alive_ = 0;
  std::optional<Room> room_;  // for messages
  Crew crew_;
  bool crew_helps_ = false;
  Duration slowest_batch_{};
  bool first_run_ = false;
  bool far_ = false;  // from one of the servers
  bool halted_ = false;
  bool windows_left_ = false;  // a source may have shown more, and was not asked
  /// A folder on which the server broke every line, though it let us in each time. The others are
  /// gone on with: if one of them crosses, it is that folder's trouble, else the server's.
  std::optional<Error> lost_;
  int condemned_in_a_row_ = 0;
};

}  // namespace

bool CrossingOptions::wants(const FolderName& folder) const {
  const auto matches = [&](const std::string& glob) { return glob_matches(glob, folder); };
  return (folders.empty() || std::ranges::any_of(folders, matches)) &&
         std::ranges::none_of(excludes, matches);
}

bool CrossingOptions::wants(std::uint64_t size_bytes,
                            const std::optional<InternalDate>& date) const {
  if (max_size_bytes && size_bytes > *max_size_bytes) return false;
  return !date || (!(since && date->seconds < *since) && !(before && date->seconds >= *before));
}

std::string CrossingOptions::selection_hash() const {
  Digest digest;
  const auto add = [&digest](std::string_view text) {
    digest.update(text);
    digest.update(std::string_view("\0", 1));
  };
  const auto add_number = [&add](char name, std::optional<std::int64_t> value) {
    add(std::string(1, name) + (value ? std::to_string(*value) : ""));
  };
  for (const std::string& glob : folders) add("folder " + glob);
  for (const std::string& glob : excludes) add("exclude " + glob);
  for (const auto& [from, to] : map) add("map " + from.to_string() + "=" + to.to_string());
  add_number('s', since);
  add_number('b', before);
  add_number('m', max_size_bytes ? std::optional(static_cast<std::int64_t>(*max_size_bytes))
                                 : std::nullopt);
  add(mirror_deletions ? "mirror" : "keep");
  if (only_failed) add("failed");
  add_number('r', remove_after ? std::optional(std::int64_t{remove_after->count()}) : std::nullopt);
  const Sha256 hash = digest.finish();
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (unsigned char byte : hash) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out.substr(0, 16);
}

Task<Ledger> cross_account(Ends ends, AccountIdentity account, CrossingOptions options,
                           const StopRequest& stop) {
  Crossing crossing(ends, std::move(account), std::move(options), stop);
  co_return co_await crossing.run();
}

}  // namespace postferry
