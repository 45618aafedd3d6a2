#include "engine/crossing/lanes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "engine/async/event.h"
#include "engine/async/semaphore.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/crossing/deletions.h"
#include "engine/crossing/folder_crossing.h"
#include "engine/crossing/repairer.h"
#include "engine/crossing/retry.h"
#include "engine/crossing/skip.h"
#include "engine/room.h"

namespace postferry {

namespace {

constexpr std::uint64_t kSmallFolder = 64;  // messages
constexpr std::size_t kForksAtMost = 32;    // of a lane
/// With so many messages before it a lane has enough to do until the next folder is open.
constexpr std::uint64_t kEnoughToDo = 256;

class Lanes {
 public:
  explicit Lanes(LanesRequest request)
      : r_(std::move(request)), crew_(r_.ends.target, r_.ends.observer) {
    rank_.resize(r_.folders.size());
    for (std::size_t i = 0; i < r_.queue.size(); ++i) rank_[r_.queue[i]] = i;
  }

  Task<bool> carry(Lane first) {
    const std::size_t lanes = lanes_wanted();
    lanes_alive_ = lanes;
    const std::uint64_t memory = r_.options.memory_bytes;
    const std::uint64_t for_repairs = r_.ends.originals ? room_for_repairs(memory) : 0;
    room_.emplace(room_for_all(memory - for_repairs, lanes));
    crew_.allow(at_target());
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(work(std::move(first)));
      for (std::size_t i = 1; i < lanes; ++i) group.spawn(work(Lane{}));
      co_await group.join();
    });
    if (lost_ && !halted()) halt(*lost_);
    co_return r_.queue.empty() && !windows_left_;
  }

 private:
  /// Sessions that the target bears, of those that are wanted.
  std::size_t at_target() const {
    const int sessions =
        r_.far ? r_.options.sessions_afar.value_or(r_.options.sessions) : r_.options.sessions;
    return static_cast<std::size_t>(
        std::clamp(r_.ends.target.max_sessions(), 1, std::max(1, sessions)));
  }

  /// As many as the work is worth, and the ends bear.
  std::size_t lanes_wanted() const {
    const auto most =
        std::min<std::size_t>({at_target(), static_cast<std::size_t>(r_.ends.source.max_sessions()),
                               std::max<std::size_t>(1, r_.queue.size())});
    const std::uint64_t of_one = r_.options.messages_a_session;
    if (of_one == 0) return most;
    std::uint64_t messages = 0;
    for (const std::size_t index : r_.queue)
      messages += r_.folders[index].source.numbers.messages.value_or(of_one);
    return std::min<std::size_t>(most, 1 + messages / of_one);
  }

  /// The next folder whose target folder nobody is filling: what several send to one goes there one
  /// after the other, or each would take the others' new mail for a stranger's. Whoever fills it
  /// goes on with those left out here.
  std::optional<std::size_t> next() const {
    if (halted() || r_.stop.requested()) return std::nullopt;
    const auto at = std::ranges::find_if(r_.queue, [this](std::size_t index) {
      return std::ranges::none_of(
          filling_, [&](const auto& one) { return one.second == r_.folders[index].target; });
    });
    return at == r_.queue.end() ? std::nullopt : std::optional(*at);
  }

  void claim(std::size_t index) {
    std::erase(r_.queue, index);
    filling_.emplace(index, r_.folders[index].target);
  }
  /// To where it stood in the queue.
  void put_back(std::size_t index) {
    const auto before = [this](std::size_t other, std::size_t of) {
      return rank_[other] < rank_[of];
    };
    r_.queue.insert(std::ranges::lower_bound(r_.queue, index, before), index);
  }
  void release(std::size_t index) { filling_.erase(index); }

  Task<void> work(Lane lane) {
    Permit place = co_await crew_.place();
    Share share(*room_);
    while (const std::optional<std::size_t> index = next()) {
      if (lane.whole() && may_share(*index)) {
        const bool lost = co_await carry_several(lane, share);
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
    if (wanted_later(lane)) {
      r_.idle.push_back(std::move(lane));
    } else {
      co_await say_goodbye(lane, r_.ends.observer);
    }
  }

  /// For deletions; but where a crew helps its place is wanted now.
  bool wanted_later(const Lane& lane) const {
    return r_.deletions && r_.deletions->due() && !r_.crew_helps && lane.whole() && !lane.lost();
  }

  /// One that has no more to do is of use before a new one is: the servers may have no place for
  /// it.
  Task<void> complete(Lane& lane) {
    if (!lane.source && !lane.target && !r_.idle.empty()) {
      lane = std::move(r_.idle.back());
      r_.idle.pop_back();
    }
    co_await connect(lane, r_.ends.source, r_.ends.target);
  }

  /// Whether it may be one of several folders that cross over the same two connections: all but one
  /// that had trouble there, or is filled by several sessions.
  bool may_share(std::size_t index) const {
    const bool many = r_.folders[index].source.numbers.messages.value_or(UINT64_MAX) > kSmallFolder;
    return !alone_.contains(index) && !(r_.crew_helps && many);
  }

  /// About how many messages are to be looked at, as far as the listing tells.
  std::uint64_t work_of(std::size_t index) const {
    const FolderNumbers& now = r_.folders[index].source.numbers;
    const std::uint64_t all = now.messages.value_or(kEnoughToDo);
    const auto record = r_.records.find(r_.folders[index].source.name);
    if (record == r_.records.end() || !record->second.completed) return all;
    const FolderNumbers& then = *record->second.completed;
    const CrossingOptions& options = r_.options;
    const bool filtered = options.since || options.before || options.max_size_bytes;
    const bool changes_only = then.highest_modseq.value_or(0) > 1 && !filtered &&
                              !options.remove_after && !options.only_failed;
    const bool grown = now.uid_validity == then.uid_validity && now.uid_next >= then.uid_next;
    // As FolderCrosser::last_crossing(), but for what was refused: the journal alone has that.
    const FolderRecord& known = record->second;
    const bool sure = under_same_options(known, options.selection_hash()) && known.matched &&
                      !known.batches_open && then.uid_validity == known.source_uid_validity;
    if (!changes_only || !sure || !grown || !then.uid_next) return all;
    return std::min<std::uint64_t>(all, *now.uid_next - *then.uid_next);
  }

  /// What several folders on one lane's connections share.
  struct Shared {
    explicit Shared(Share& room) : share(room) {}
    Share& share;             // of the room for messages
    std::size_t folders = 0;  // under way
    std::uint64_t work = 0;   // of these
    bool lost = false;        // a connection: nothing more is begun
    std::optional<Error> throttled;
    Event ended;  // a folder
  };

  /// Crosses folders over the lane's two connections, the next ones begun while the others' mail is
  /// on its way. True: a connection was lost. What was on it is back in the queue, and goes alone
  /// from now on.
  Task<bool> carry_several(Lane& lane, Share& share) {
    // The others' share is theirs, once they are connected; who has begun has taken his. Afar that
    // takes them as long as a folder takes the first.
    const std::size_t lanes = lanes_alive_ - lanes_sharing_;
    const std::size_t of_all = (r_.queue.size() + lanes - 1) / lanes;
    const std::size_t wanted =
        std::min(kForksAtMost, of_all * (r_.far && lanes_sharing_ == 0 ? 2 : 1));
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
    Shared shared(share);
    ++lanes_sharing_;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      for (Lane& fork : std::exchange(forks, {}))
        group.spawn(work_on_fork(std::move(fork), shared));
      co_await group.join();
    });
    --lanes_sharing_;
    if (shared.throttled)
      co_await wait_to_try_again(*shared.throttled, 1, r_.ends.observer, r_.stop);
    co_return shared.lost;
  }

  Task<void> work_on_fork(Lane fork, Shared& shared) {
    Windows windows;                       // neither of them has work here
    PoisonHunt hunt(condemned_in_a_row_);  // what fails goes alone
    while (const auto first = next()) {
      const std::size_t index = *first;
      const std::uint64_t work = work_of(index);
      if (shared.lost || !may_share(index)) break;
      // Other lanes may be free for it, or will be sooner.
      if (shared.folders > 0 && shared.work + work > kEnoughToDo) {
        shared.ended.reset();
        co_await shared.ended.wait();
        continue;
      }
      claim(index);
      ++shared.folders;
      shared.work += work;
      const bool goes_on = co_await carry_shared(fork, index, shared, hunt, windows);
      release(index);
      --shared.folders;
      shared.work -= work;
      shared.ended.set();
      if (!goes_on) co_return;
    }
  }

  /// True: the fork is of use for another folder.
  Task<bool> carry_shared(Lane& fork, std::size_t index, Shared& shared, const PoisonHunt& hunt,
                          Windows& windows) {
    FolderTally& tally = r_.ledger.folders[index];
    r_.ends.observer.folder_begun(tally.source, tally.target);
    FolderCrossingResult result;
    const std::optional<Error> failure =
        co_await cross(fork, index, shared.share, hunt, windows, result);
    if (failure && remedy_for(*failure) == Remedy::again) {
      shared.lost = true;
      if (failure->kind() == ErrorKind::throttled) shared.throttled = failure;
      alone_.insert(index);
      put_back(index);
      co_return false;
    }
    tally.error.reset();
    if (!failure) lost_.reset();
    if (failure) {
      tally.error = failure->in("folder " + tally.source.to_string());
      if (remedy_for(*failure) != Remedy::next_folder) halt(*tally.error);
    }
    r_.ends.observer.folder_ended(tally.source, tally);
    // A refusal at one end may have cut the other short in the middle of an answer.
    shared.lost = shared.lost || result.stopped || result.source_over || fork.lost();
    co_return !failure;
  }

  /// One attempt at one folder.
  Task<std::optional<Error>> cross(Lane& lane, std::size_t index, Share& share,
                                   const PoisonHunt& hunt, Windows& windows,
                                   FolderCrossingResult& result) {
    std::optional<Error> failure;
    try {
      FolderCrossingRequest request{r_.ends,
                                    *lane.source,
                                    *lane.target,
                                    r_.options,
                                    r_.account,
                                    r_.run,
                                    r_.source_identity,
                                    r_.folders[index],
                                    share,
                                    slowest_batch_,
                                    hunt.at_once(),
                                    hunt.condemned(),
                                    hunt.wants_witness(),
                                    r_.first_run && tried_.insert(index).second,
                                    [this] { return r_.stop.requested() || halted(); },
                                    [this] { return r_.stop.at_once() || halted(); },
                                    r_.crew_helps ? &crew_ : nullptr,
                                    windows,
                                    r_.ledger.folders[index],
                                    r_.deletions,
                                    r_.ends.originals ? &repairs_ : nullptr};
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
    MappedFolder& folder = r_.folders[index];
    FolderTally& tally = r_.ledger.folders[index];
    bool begun = false;
    const auto begin = [&] {
      if (!std::exchange(begun, true))
        r_.ends.observer.folder_begun(folder.source.name, folder.target);
    };
    Windows windows;
    PoisonHunt hunt(condemned_in_a_row_);
    for (int failures = 0;;) {
      std::optional<Error> failure;
      FolderCrossingResult result;
      bool connecting = false;
      try {
        connecting = !lane.whole();
        if (connecting) co_await complete(lane);
        connecting = false;
      } catch (const Error& error) {
        failure = error;
      }
      if (!failure && !begun && may_share(index)) {
        put_back(index);  // it has been what the lane was connected for
        co_return false;
      }
      begin();
      if (!failure) failure = co_await cross(lane, index, share, hunt, windows, result);
      if (failure || result.stopped) lane = {};
      if (result.source_over || result.more_windows) co_await leave_source(lane);
      if (result.more_windows && !halted() && !r_.stop.requested()) {
        failures = 0;
        continue;
      }
      windows_left_ = windows_left_ || result.more_windows;
      // A look that is refused was not worth it: servers have limits for logins, too.
      const bool only_a_look = connecting && !windows.first() && !windows.certain();
      if (!failure || only_a_look) {
        tally.error.reset();
        lost_.reset();
        r_.ends.observer.folder_ended(folder.source.name, tally);
        co_return false;
      }
      const bool crowded =
          failure->kind() == ErrorKind::throttled && !failure->retry_after() && !result.progressed;
      if ((connecting || crowded) && lanes_alive_ > 1 &&
          failure->kind() != ErrorKind::unreachable) {
        r_.ends.observer.note(Level::info,
                              std::string("going on with fewer sessions: ") + failure->what());
        put_back(index);
        co_return true;
      }
      tally.error = failure->in("folder " + folder.source.name.to_string());
      const bool closer = hunt.failed(*failure, result.progressed, result.under_way);
      failures = closer ? 1 : failures + 1;
      const Remedy remedy = remedy_for(*failure);
      if (remedy != Remedy::again || failures > r_.options.retries || halted() ||
          r_.stop.requested()) {
        const bool broke =
            failure->kind() == ErrorKind::transient || failure->kind() == ErrorKind::protocol;
        if (broke && !connecting && !lost_ && !r_.stop.requested()) {
          lost_ = *tally.error;
        } else if (remedy != Remedy::next_folder) {
          halt(*tally.error);
        }
        r_.ends.observer.folder_ended(folder.source.name, tally);
        co_return false;
      }
      co_await wait_to_try_again(*tally.error, failures, r_.ends.observer, r_.stop);
    }
  }

  Task<void> leave_source(Lane& lane) {
    const std::unique_ptr<SourceSession> over = std::move(lane.source);
    if (over) co_await over->logout();
  }

  bool halted() const { return r_.ledger.error.has_value(); }
  void halt(const Error& error) {
    if (!halted()) r_.ledger.error = error;
  }

  LanesRequest r_;
  std::map<std::size_t, FolderName> filling_;  // target folders, by who fills them
  std::vector<std::size_t> rank_;              // of each folder in the queue
  std::set<std::size_t> tried_;
  std::set<std::size_t> alone_;  // folders that share no connection, for good reasons
  std::size_t lanes_alive_ = 0;
  std::size_t lanes_sharing_ = 0;  // several folders each
  std::optional<Room> room_;       // for messages
  Semaphore repairs_{1};
  Crew crew_;
  Duration slowest_batch_{};
  bool windows_left_ = false;  // a source may have shown more, and was not asked
  /// A folder on which the server broke every line, though it let us in each time. The others are
  /// gone on with: if one of them crosses, it is that folder's trouble, else the server's.
  std::optional<Error> lost_;
  int condemned_in_a_row_ = 0;
};

}  // namespace

Task<bool> carry(LanesRequest request, Lane first) {
  Lanes lanes(std::move(request));
  co_return co_await lanes.carry(std::move(first));
}

}  // namespace postferry
