#include "engine/crossing/standings.h"

#include <algorithm>
#include <utility>

#include "engine/crossing/transfer.h"
#include "engine/removal/left_behind.h"
#include "engine/settle/another.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;

}  // namespace

void Standings::list(Catalogue listed, const FolderNumbers& begun) {
  catalogue = std::move(listed);
  uid_next_ = begun.uid_next;
  forget();
}

void Standings::forget() {
  standing.assign(catalogue.size(), Standing::due);
  flag_changes.clear();
  gone.clear();
  unplaced.clear();
  orphans.clear();
  failed_before_.clear();
  held_.clear();
  plain.clear();
  repairs.clear();
  unlisted = bytes_before = 0;
  known = 0;
  moved = false;
  in_question.reset();
}

Task<void> Standings::join_rows(FolderId folder) {
  forget();
  std::size_t at = 0;
  MessageKey after;
  for (;;) {
    const std::vector<MessageRow> rows = co_await journal_.rows(folder, after, kRowsAtOnce);
    if (rows.empty()) break;
    after = rows.back().key;
    for (const MessageRow& row : rows) {
      std::optional<std::size_t> index;
      if (catalogue.by_uid() && row.key.is_uid()) {
        while (at < catalogue.size() && catalogue.uid(at) < row.key.uid()) ++at;
        if (at < catalogue.size() && catalogue.uid(at) == row.key.uid()) index = at;
      } else {
        index = catalogue.find(row.key);
      }
      join(row, index);
    }
  }
}

void Standings::join(const MessageRow& row, std::optional<std::size_t> index) {
  if (row.state == MessageState::left_out) {
    const bool wanted = options_.wants(row.size_bytes, row.date);
    if (index && !wanted) standing[*index] = Standing::filtered;
    return;
  }
  if (!index) {
    const bool never_given = row.key.is_uid() && uid_next_ && row.key.uid() >= Uid{*uid_next_};
    moved = moved || never_given;
    if (!row.target_uid) orphans.push_back(row);
    const bool left_alone = row.state < MessageState::leaving;
    if (options_.mirror_deletions && left_alone) gone.push_back(row);
    return;
  }
  if (row.repairs) repairs[row.key] = row.repairs;
  const Catalogue::Entry entry = catalogue[*index];
  if (catalogue.by_uid()) {
    moved = moved || is_another(row, entry);
    if (may_be_another(row, entry)) in_question = row;
  }
  if (!row.target_uid) {  // its copy must be found again
    unplaced.emplace(*index, row);
    return;
  }
  const bool ours = row.run == run_ && row.origin == Origin::appended;
  standing[*index] = ours ? Standing::copied : Standing::present;
  ++known;
  if (ours && !windows_.shown(row.key)) bytes_before += row.size_bytes;
  if (!catalogue.by_uid() && !catalogue.tells_flags) return;
  const Flags now = flags_to_follow(row, *entry.flags);
  if (!(now == row.flags)) flag_changes.push_back({row.key, row.target_uid, row.flags, now});
}

Task<bool> Standings::join_changes(const FolderRecord& record, Opened changed,
                                   SourceSession& source) {
  const FolderNumbers& begun = changed.numbers;
  list(std::move(changed.catalogue), begun);
  const FolderNumbers& then = *record.completed;
  const bool forward = begun.uid_validity == then.uid_validity && begun.messages &&
                       begun.uid_next >= then.uid_next &&
                       begun.highest_modseq >= then.highest_modseq;
  if (!forward) co_return false;
  std::uint64_t old = 0, fresh = 0;
  for (std::size_t at = 0; at < catalogue.size(); at += kRowsAtOnce) {
    std::vector<MessageKey> keys;
    for (std::size_t i = at; i < std::min(at + kRowsAtOnce, catalogue.size()); ++i) {
      const Uid uid = catalogue.uid(i);
      if (uid < Uid{*then.uid_next}) {
        ++old;
      } else if (uid < Uid{*begun.uid_next}) {
        ++fresh;  // what comes later is not in the numbers of the beginning
      }
      keys.push_back(catalogue.key(i));
    }
    for (const MessageRow& row : co_await journal_.rows_for(record.id, std::move(keys)))
      join(row, catalogue.find(row.key));
  }
  const std::uint64_t listed = old + fresh;
  if (moved || !unplaced.empty() || *begun.messages < listed) co_return false;
  for (std::size_t i = 0; i < old; ++i)
    if (standing[i] == Standing::due) co_return false;  // it cannot be new
  // A server whose HIGHESTMODSEQ stands still while mail arrives tracks nothing.
  if (fresh > 0 && begun.highest_modseq == then.highest_modseq) co_return false;
  const std::uint64_t still_there = *begun.messages - fresh;
  if (still_there > record.completed_present) co_return false;
  if (old == 0 && still_there > 0) co_return false;  // no recorded one vouches for the UIDs
  unlisted = *begun.messages - listed;
  const std::uint64_t vanished = record.completed_present - still_there;
  if (!options_.mirror_deletions || vanished == 0) co_return true;
  if (!changed.uids) changed.uids = co_await source.uids();
  co_return co_await find_gone(record, *changed.uids);
}

/// Only the whole list of UIDs tells which they are.
Task<bool> Standings::find_gone(const FolderRecord& record, const std::vector<UidRange>& there) {
  for (std::size_t i = 0; i < catalogue.size(); ++i)
    if (!holds(there, catalogue.uid(i))) co_return false;
  gone = co_await journal_.rows_outside(record.id, there);
  std::erase_if(gone, [](const MessageRow& row) { return row.state >= MessageState::leaving; });
  co_return true;
}

Task<void> Standings::join_failures(FolderId folder, bool windowed, bool keys_hold) {
  std::vector<MessageKey> over, left_over, left_behind;
  std::vector<FailureRow> failures;
  if (keys_hold) failures = co_await journal_.failures(folder);
  for (FailureRow& row : failures) {
    const auto index = catalogue.find(row.key);
    const bool left = row.left.has_value();
    if (!index) {
      if (!windowed) (left ? left_over : over).push_back(std::move(row.key));
    } else if (left) {
      if (options_.only_failed && !row.accepted && row.run != run_)
        left_behind.push_back(std::move(row.key));
    } else if (standing[*index] != Standing::due) {
      continue;
    } else if (row.accepted) {
      standing[*index] = Standing::accepted;
    } else if (row.run == run_ && !row.repairs) {
      standing[*index] = Standing::rejected;
    } else {
      failed_before_.insert(*index);
      if (row.text == kNotFoundAgain && !options_.only_failed) held_.insert(*index);
      if (!row.repairs) continue;
      repairs[row.key] = row.repairs;
      if (row.run == run_) held_.insert(*index);
    }
  }
  if (!over.empty() && !options_.dry_run) co_await journal_.forget(folder, std::move(over));
  if (!options_.dry_run) co_await end_left_behind(journal_, folder, std::move(left_over));
  if (!options_.only_failed) co_return;
  co_await send_left_behind(folder, std::move(left_behind));
  for (std::size_t i = 0; i < standing.size(); ++i)
    if (standing[i] == Standing::due && !failed_before_.contains(i))
      standing[i] = Standing::filtered;
}

/// As if they had not crossed; what became of the copies is their owner's business.
Task<void> Standings::send_left_behind(FolderId folder, std::vector<MessageKey> keys) {
  for (const MessageKey& key : keys) {
    const std::size_t index = *catalogue.find(key);
    if (standing[index] == Standing::present || standing[index] == Standing::copied) --known;
    standing[index] = Standing::due;
    unplaced.erase(index);
    failed_before_.insert(index);
    std::erase_if(flag_changes, [&key](const FlagChange& change) { return change.key == key; });
  }
  if (!options_.dry_run) co_await journal_.forget(folder, std::move(keys));
}

void Standings::hold_back() {
  std::erase_if(repairs, [this](const auto& one) {
    const auto index = catalogue.find(one.first);
    return index && standing[*index] == Standing::due;
  });
  for (const std::size_t index : std::exchange(held_, {}))
    if (standing[index] == Standing::due) standing[index] = Standing::rejected;
}

void Standings::filter() {
  for (std::size_t i = 0; i < standing.size(); ++i) {
    if (standing[i] != Standing::due) continue;
    const Catalogue::Entry entry = catalogue[i];
    if (!options_.wants(entry.size_bytes, entry.date)) standing[i] = Standing::filtered;
  }
}

Task<void> Standings::place_gone(FolderId folder) {
  const auto lost =
      std::ranges::partition(gone, [](const MessageRow& row) { return bool{row.target_uid}; });
  std::vector<MessageKey> keys;
  for (const MessageRow& row : lost) keys.push_back(row.key);
  if (keys.empty()) co_return;
  gone.erase(lost.begin(), lost.end());
  for (MessageRow& row : co_await journal_.rows_for(folder, std::move(keys)))
    gone.push_back(std::move(row));
}

void Standings::lose_places() {
  for (Standing& one : standing)
    if (one == Standing::present || one == Standing::copied) one = Standing::due;
  flag_changes.clear();
}

std::size_t Standings::due() const {
  return static_cast<std::size_t>(std::ranges::count(standing, Standing::due));
}

std::vector<Catalogue::Entry> Standings::due_entries(std::size_t most) const {
  std::vector<Catalogue::Entry> out;
  const auto add = [&](std::size_t i) {
    if (standing[i] == Standing::due && out.size() < most) out.push_back(catalogue[i]);
  };
  for (std::size_t i = 0; i < standing.size() && out.size() < most; ++i)
    if (!failed_before_.contains(i) && !plain.contains(i)) add(i);
  for (const std::size_t i : failed_before_)
    if (!plain.contains(i)) add(i);
  if (out.empty()) std::ranges::for_each(plain, add);
  return out;
}

std::vector<Catalogue::Entry> Standings::last_due() const {
  std::vector<Catalogue::Entry> all = due_entries(standing.size());
  if (all.size() > 1) all.erase(all.begin(), all.end() - 1);
  return all;
}

Tally Standings::tally(std::uint64_t twins) const {
  Tally tally = windows_.messages();
  tally.twins = twins;
  tally.seen += unlisted;
  tally.present += unlisted;
  for (std::size_t i = 0; i < standing.size(); ++i) {
    if (!windows_.first() && windows_.shown(catalogue.key(i))) continue;
    ++tally.seen;
    switch (standing[i]) {
      case Standing::due:
        ++tally.pending;
        break;
      case Standing::present:
        ++tally.present;
        break;
      case Standing::copied:
        ++tally.copied;
        break;
      case Standing::filtered:
        ++tally.filtered;
        break;
      case Standing::rejected:
        ++tally.rejected;
        break;
      case Standing::accepted:
        ++tally.rejected;
        ++tally.accepted;
        break;
      case Standing::vanished:
        ++tally.vanished;
        break;
    }
  }
  return tally;
}

}  // namespace postferry
