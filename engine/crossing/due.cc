#include "engine/crossing/due.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "engine/async/scope.h"
#include "engine/crossing/skip.h"
#include "engine/removal/left_behind.h"
#include "engine/settle/another.h"
#include "engine/settle/follow.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;

class Looker {
 public:
  explicit Looker(DueRequest request) : r_(request) {}

  Task<std::deque<std::size_t>> run() {
    std::vector<std::size_t> in_doubt;
    for (std::size_t i = 0; i < r_.folders.size(); ++i) {
      switch (proof_of(i)) {
        case Proof::nothing_to_do:
          co_await pass_over(i);
          break;
        case Proof::flags_unknown:
          in_doubt.push_back(i);
          break;
        case Proof::none:
          queue_.push_back(i);
          break;
      }
    }
    co_await look_at_flags(std::move(in_doubt));
    co_await sort();
    co_return std::move(queue_);
  }

 private:
  const FolderRecord* record_of(std::size_t index) const {
    const auto at = r_.records.find(r_.folders[index].source.name);
    return at == r_.records.end() ? nullptr : &at->second;
  }

  Proof proof_of(std::size_t index) const {
    const FolderRecord* record = record_of(index);
    if (!record || (r_.options.only_failed && subscription_refused(*record))) return Proof::none;
    return prove(r_.folders[index], *record, r_.selection_hash);
  }

  Task<void> pass_over(std::size_t index) {
    const FolderRecord& record = *record_of(index);
    const bool due = co_await removal_due(record.id);
    if (due) {
      queue_.push_back(index);
      co_return;
    }
    FolderTally& tally = r_.tallies[index];
    tally.messages = unchanged(record);
    if (r_.options.remove_after)
      tally.left_at_source = co_await count_left_behind(r_.journal, record.id);
    co_await tell_accepted(record.id, tally.messages);
    if (r_.folders[index].source.holds_rest && !filters()) {
      // Its numbers count the mail of other folders, too: none of that is its own.
      tally.messages.seen -= tally.messages.filtered;
      tally.messages.filtered = 0;
    }
    r_.observer.folder_ended(r_.folders[index].source.name, tally);
  }

  bool filters() const {
    return r_.options.since || r_.options.before || r_.options.max_size_bytes;
  }

  /// Whether --after-copy has something to remove from a folder that else is unchanged.
  Task<bool> removal_due(FolderId folder) {
    if (!r_.options.remove_after) co_return false;
    const std::chrono::seconds age = *r_.options.remove_after;
    const std::int64_t until = unix_time((co_await current_scope()).executor()) - age.count();
    const std::vector<MessageRow> due = co_await r_.journal.removable(folder, until, {}, 1);
    co_return !due.empty();
  }

  /// What was refused and settled is not on the target: among what a folder that is passed over has
  /// there not.
  Task<void> tell_accepted(FolderId folder, Tally& tally) {
    if (tally.filtered == 0) co_return;
    const std::vector<FailureRow> failures = co_await r_.journal.failures(folder);
    const auto accepted = static_cast<std::uint64_t>(std::ranges::count_if(
        failures, [](const FailureRow& row) { return row.accepted && !row.left; }));
    tally.accepted = std::min(accepted, tally.filtered);
    tally.rejected = tally.accepted;
    tally.filtered -= tally.accepted;
  }

  Task<void> look_at_flags(std::vector<std::size_t> in_doubt) {
    if (in_doubt.empty()) co_return;
    std::map<FolderName, std::size_t> indices;
    std::vector<FolderName> names;
    for (const std::size_t index : in_doubt) {
      names.push_back(r_.folders[index].source.name);
      indices.emplace(names.back(), index);
    }
    std::set<std::size_t> same;
    const auto take = [&](FolderName name, Opened opened) -> Task<void> {
      const std::size_t index = indices.at(name);
      const bool is_same = co_await flags_are_same(*record_of(index), opened);
      if (is_same) same.insert(index);
    };
    try {
      co_await r_.source->glance(std::move(names), take);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::journal) throw;
      r_.observer.note(Level::debug, std::string("looking at flags: ") + error.what());
      r_.source.reset();
    }
    for (const std::size_t index : in_doubt) {
      if (same.contains(index)) {
        co_await pass_over(index);
      } else {
        queue_.push_back(index);
      }
    }
  }

  /// The numbers say that it has the messages it had: only their flags may differ, and the newest
  /// must be the same one, or the UIDs were given again.
  Task<bool> flags_are_same(FolderRecord record, const Opened& opened) {
    const FolderNumbers& then = *record.completed;
    const FolderNumbers& now = opened.numbers;
    const Catalogue& listed = opened.catalogue;
    const bool whole = now.uid_validity == then.uid_validity &&
                       (!now.uid_next || now.uid_next == then.uid_next) &&
                       now.messages == then.messages && listed.size() == then.messages;
    if (!whole || !listed.by_uid()) co_return false;
    MessageKey after;
    for (;;) {
      const std::vector<MessageRow> rows = co_await r_.journal.rows(record.id, after, kRowsAtOnce);
      if (rows.empty()) co_return true;
      after = rows.back().key;
      for (const MessageRow& row : rows) {
        const auto at = listed.find(row.key);
        if (!at || !row.target_uid) co_return false;
        const Catalogue::Entry entry = listed[*at];
        const bool newest = *at + 1 == listed.size();
        if (newest && (is_another(row, entry) || may_be_another(row, entry))) co_return false;
        if (!(flags_to_follow(row, *entry.flags) == row.flags)) co_return false;
      }
    }
  }

  /// Whether a batch of this folder has not been settled: what it left on the target is its own,
  /// and must be recognised before another folder of the same target folder takes it for a
  /// stranger's.
  Task<bool> left_a_batch(const FolderRecord* record) {
    if (!record || !record->batches_open) co_return false;
    const std::vector<OpenBatch> open = co_await r_.journal.open_batches(record->target_folder);
    co_return std::ranges::any_of(open, [record](const OpenBatch& batch) {
      return batch.folder == record->id && !batch.settled;
    });
  }

  Task<void> sort() {
    std::set<std::size_t> half_done;
    for (const std::size_t index : queue_) {
      const bool left = co_await left_a_batch(record_of(index));
      if (left) half_done.insert(index);
    }
    std::ranges::sort(queue_, [this, &half_done](std::size_t a, std::size_t b) {
      if (half_done.contains(a) != half_done.contains(b)) return half_done.contains(a);
      const std::uint64_t of_a = r_.tallies[a].messages.seen, of_b = r_.tallies[b].messages.seen;
      return of_a != of_b ? of_a > of_b : a < b;
    });
  }

  const DueRequest r_;
  std::deque<std::size_t> queue_;
};

}  // namespace

Task<std::deque<std::size_t>> what_is_due(DueRequest request) {
  Looker looker(std::move(request));
  co_return co_await looker.run();
}

}  // namespace postferry
