#include "engine/crossing/deletions.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/async/task_group.h"
#include "engine/both_ends.h"
#include "engine/crossing/deletion_guard.h"
#include "engine/crossing/retry.h"
#include "engine/crossing/skip.h"
#include "engine/settle/follow.h"

namespace postferry {

namespace {

constexpr std::size_t kForksAtMost = 32;  // of a lane

}  // namespace

void Deletions::doubt(const std::string& why) {
  if (std::exchange(doubted_, true)) return;
  observer_.note(Level::warning, why + "; nothing is deleted on the target in this run");
}

void Deletions::begin(const FolderRecord& folder) {
  missing_.erase(folder.id);
  if (folder.source_uid_validity) unseen_.emplace(folder.id, folder.source);
}

void Deletions::add(Missing missing) {
  const FolderId id = missing.folder.id;
  missing_.insert_or_assign(id, std::move(missing));
}

Task<void> Deletions::carry_out(Ends ends, AccountId account, const CrossingOptions& options,
                                const StopRequest& stop, Ledger& ledger, std::vector<Lane>& lanes) {
  co_await hold_back(ends.journal, account, options, ledger);
  co_await side_by_side(lanes, ends, options, stop, ledger);
  Lane lane;
  if (!lanes.empty()) {
    lane = std::move(lanes.back());
    lanes.pop_back();
  }
  bool idle = lane.whole();  // perhaps for longer than its servers wait
  int failures = 0;
  while (!missing_.empty() && !doubted_ && !stop.requested()) {
    const Missing& missing = missing_.begin()->second;
    const auto tally = tally_of(missing, ledger);
    std::optional<Error> failure;
    try {
      co_await connect(lane, ends.source, ends.target);
      tally->deleted += co_await mirror(lane, ends, options, missing);
    } catch (const Error& error) {
      failure = error.in("folder " + missing.folder.source.to_string());
    }
    const Remedy remedy = failure ? remedy_for(*failure) : Remedy::next_folder;
    if (failure) lane = {};
    if (remedy == Remedy::again && std::exchange(idle, false)) continue;
    if (remedy == Remedy::again && ++failures <= options.retries) {
      co_await wait_to_try_again(*failure, failures, observer_, stop);
      continue;
    }
    if (failure) tally->error = failure;
    if (remedy != Remedy::next_folder) {
      ledger.error = failure;
      break;
    }
    failures = 0;
    idle = false;
    missing_.erase(missing_.begin());
  }
  if (lane.whole()) lanes.push_back(std::move(lane));
}

Task<void> Deletions::foretell(Journal& journal, AccountId account, const CrossingOptions& options,
                               Ledger& ledger) {
  co_await hold_back(journal, account, options, ledger);
  for (const auto& [id, missing] : missing_) tally_of(missing, ledger)->deleted = missing.mirrored;
}

Task<void> Deletions::hold_back(Journal& journal, AccountId account, const CrossingOptions& options,
                                Ledger& ledger) {
  if (!missing_.empty() && !unseen_.empty())
    doubt("folder " + unseen_.begin()->second.to_string() + " could not be looked at");
  if (doubted_) missing_.clear();
  if (missing_.empty() || options.force_deletions) co_return;
  const std::map<FolderId, Error> refusals =
      co_await refusals_of_many(journal, account, missing_, ledger.messages().seen);
  for (const auto& [id, refusal] : refusals) {
    tally_of(missing_.at(id), ledger)->error = refusal;
    missing_.erase(id);
  }
}

std::vector<FolderTally>::iterator Deletions::tally_of(const Missing& missing, Ledger& ledger) {
  return std::ranges::find(ledger.folders, missing.folder.source, &FolderTally::source);
}

/// What fails here is left for one folder after the other.
Task<void> Deletions::side_by_side(std::vector<Lane>& lanes, Ends ends,
                                   const CrossingOptions& options, const StopRequest& stop,
                                   Ledger& ledger) {
  if (missing_.size() < 2) co_return;
  std::vector<FolderId> todo;
  for (const auto& [id, missing] : missing_) todo.push_back(id);
  const auto work = [&](Lane fork, Lane& lane) -> Task<void> {
    while (!todo.empty() && lane.whole() && !doubted_ && !stop.requested()) {
      const Missing& missing = missing_.at(todo.back());
      todo.pop_back();
      try {
        tally_of(missing, ledger)->deleted += co_await mirror(fork, ends, options, missing);
        if (!doubted_) missing_.erase(missing.folder.id);
      } catch (const Error&) {
        lane = {};
      }
    }
  };
  try {
    if (lanes.empty()) co_await connect(lanes.emplace_back(), ends.source, ends.target);
  } catch (const Error&) {
    lanes.clear();
  }
  const std::size_t each =
      lanes.empty() ? 0 : std::min(kForksAtMost, (todo.size() + lanes.size() - 1) / lanes.size());
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    for (Lane& lane : lanes)
      for (std::size_t i = 0; i < each; ++i) {
        Lane fork{lane.source->fork(), lane.target->fork()};
        if (fork.whole()) group.spawn(work(std::move(fork), lane));
      }
    co_await group.join();
  });
  std::erase_if(lanes, [](const Lane& lane) { return !lane.whole(); });
}

Task<std::uint64_t> Deletions::mirror(Lane& lane, Ends ends, const CrossingOptions& options,
                                      const Missing& missing) {
  const FolderRecord& folder = missing.folder;
  const Permit turn = co_await ends.turns->take(folder.target_folder);
  FolderNumbers source, target;
  const auto at_source = [&]() -> Task<void> {
    source = co_await lane.source->select(folder.source);
  };
  const auto at_target = [&]() -> Task<void> {
    target = co_await lane.target->select(folder.target);
  };
  co_await at_both_ends(at_source(), at_target());
  if (source.uid_validity != missing.begun.uid_validity ||
      target.uid_validity != missing.target_validity) {
    doubt("folder " + folder.source.to_string() + " has another UIDVALIDITY than before");
    co_return 0;
  }
  const std::uint64_t deleted =
      co_await mirror_deletions({*lane.source, *lane.target, ends.journal, observer_, folder,
                                 co_await ends.journal.rows_for(folder.id, missing.keys)});
  if (missing.whole)
    co_await ends.journal.complete(
        folder.id, missing.begun,
        noted_under(options.selection_hash(), subscription_refused(folder)), missing.present);
  co_return deleted;
}

}  // namespace postferry
