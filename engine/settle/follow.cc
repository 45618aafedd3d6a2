#include "engine/settle/follow.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/both_ends.h"
#include "engine/error.h"
#include "engine/settle/proved_copies.h"

namespace postferry {

namespace {

void group_by_change(std::map<std::string, std::vector<Uid>>& groups, const Flags& changed,
                     Uid uid) {
  if (!changed.empty()) groups[changed.to_string()].push_back(uid);
}

/// Target UIDs that a row of any account names which is none of `gone`: a server that folds
/// duplicates has one copy for several messages.
Task<std::set<Uid>> still_named(Journal& journal, TargetFolderId folder,
                                std::vector<MessageRow> gone) {
  std::vector<Uid> uids;
  std::map<Uid, std::size_t> going;
  for (const MessageRow& row : gone)
    if (row.target_uid && ++going[row.target_uid] == 1) uids.push_back(row.target_uid);
  std::map<Uid, std::size_t> names;
  for (const MessageRow& row : co_await journal.rows_at(folder, std::move(uids)))
    ++names[row.target_uid];
  std::set<Uid> out;
  for (const auto& [uid, count] : names)
    if (count > going[uid]) out.insert(uid);
  co_return out;
}

/// What is at a row's UID; null: nothing.
const TargetEntry* entry_at(const std::vector<TargetEntry>& there, Uid uid) {
  const auto at = std::ranges::lower_bound(there, uid, {}, &TargetEntry::uid);
  return at != there.end() && at->uid == uid ? &*at : nullptr;
}

/// Each for itself, those with keywords at last without. What is refused even so keeps its base:
/// its UIDs.
Task<std::set<Uid>> store_one_by_one(TargetSession& target, std::vector<FlagStore> stores,
                                     Followed& followed) {
  std::set<Uid> refused;
  for (FlagStore& store : stores) {
    const std::size_t keywords = store.flags.keywords.size();
    for (const bool all : {true, false}) {
      if (!all) {
        if (keywords == 0) break;
        store.flags.keywords.clear();
      }
      std::optional<Error> error;
      try {
        if (!store.flags.empty()) co_await target.store(store.uids, store.flags, store.add);
      } catch (const Error& failure) {
        if (failure.kind() != ErrorKind::rejected) throw;
        error = failure;
      }
      if (!error) {
        if (!all) followed.dropped += keywords * store.uids.size();
        break;
      }
      if (all && keywords > 0) continue;
      followed.refused = error;
      refused.insert(store.uids.begin(), store.uids.end());
    }
  }
  co_return refused;
}

}  // namespace

bool is_copy_of(const MessageRow& row, const TargetEntry& entry) {
  return entry.size_bytes == row.size_bytes && same_instant(entry.date, row.date);
}

bool may_be_mirrored(const MessageRow& row) {
  return row.origin == Origin::appended && row.target_uid && row.key.is_uid();
}

Flags flags_to_follow(const MessageRow& row, Flags now) {
  if (row.state >= MessageState::leaving)
    now.system = static_cast<std::uint8_t>((now.system & ~Flags::deleted) |
                                           (row.flags.system & Flags::deleted));
  return now;
}

Task<Followed> follow_flags(TargetSession& target, Journal& journal, FolderId folder,
                            std::vector<FlagChange> changes) {
  std::map<std::string, std::vector<Uid>> gained, lost;
  Followed followed;
  for (const FlagChange& change : changes) {
    if (!change.target_uid) continue;
    group_by_change(gained, change.now.minus(change.before), change.target_uid);
    group_by_change(lost, change.before.minus(change.now), change.target_uid);
    ++followed.touched;
  }
  std::vector<FlagStore> stores;
  for (bool add : {true, false}) {
    for (auto& [flags, uids] : add ? gained : lost) {
      std::ranges::sort(uids);
      stores.push_back({std::move(uids), Flags::parse(flags), add});
    }
  }
  bool one_by_one = false;
  std::set<Uid> refused;
  try {
    if (!stores.empty()) co_await target.store_all(stores);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::rejected) throw;
    one_by_one = true;
  }
  if (one_by_one) refused = co_await store_one_by_one(target, std::move(stores), followed);
  std::vector<std::pair<MessageKey, Flags>> base;
  for (const FlagChange& change : changes)
    if (!refused.contains(change.target_uid)) base.emplace_back(change.key, change.now);
  followed.touched -= changes.size() - base.size();
  co_await journal.update_flags(folder, std::move(base));
  co_return followed;
}

Task<std::uint64_t> mirror_deletions(DeletionRequest r) {
  std::vector<MessageRow> all = r.gone;
  std::erase_if(r.gone, [](const MessageRow& row) { return !may_be_mirrored(row); });
  if (r.gone.empty()) co_return 0;
  std::vector<Uid> copies;
  for (const MessageRow& row : r.gone) copies.push_back(row.target_uid);
  // Looked for twice: a listing that came short must not cost mail.
  std::vector<UidRange> again;
  std::vector<TargetEntry> there;
  const auto at_source = [&]() -> Task<void> { again = co_await r.source.uids(); };
  const auto at_target = [&]() -> Task<void> {
    there = co_await r.target.look_at(std::move(copies));
  };
  co_await at_both_ends(at_source(), at_target());
  for (std::vector<MessageRow>* rows : {&r.gone, &all})
    std::erase_if(*rows, [&](const MessageRow& row) { return holds(again, row.key.uid()); });
  if (r.gone.empty()) co_return 0;
  const std::set<Uid> shared =
      co_await still_named(r.journal, r.folder.target_folder, std::move(all));
  std::vector<DoubtedCopy> doubted;
  for (const MessageRow& row : r.gone)
    if (const TargetEntry* entry = entry_at(there, row.target_uid);
        entry && !is_copy_of(row, *entry))
      doubted.push_back({row, *entry});
  const std::set<Uid> proved = co_await proved_copies(r.target, std::move(doubted));
  std::vector<Uid> uids;
  std::vector<MessageKey> keys;
  std::uint64_t changed = 0;
  for (const MessageRow& row : r.gone) {
    const TargetEntry* entry = entry_at(there, row.target_uid);
    if (entry && !is_copy_of(row, *entry) && !proved.contains(row.target_uid)) {
      ++changed;
      continue;
    }
    if (entry && !shared.contains(row.target_uid)) uids.push_back(row.target_uid);
    keys.push_back(row.key);
  }
  if (changed > 0)
    r.observer.note(Level::warning,
                    "folder " + r.folder.source.to_string() + ": " +
                        (changed == 1 ? "1 message is gone from the source, but its copy is not "
                                        "what was copied; it is left alone"
                                      : std::to_string(changed) +
                                            " messages are gone from the source, but their copies "
                                            "are not what was copied; they are left alone"));
  if (!uids.empty()) co_await r.target.expunge(uids);
  if (!uids.empty() && r.target.traits().hides_deleted)
    r.observer.note(Level::warning,
                    "folder " + r.folder.source.to_string() +
                        ": this target keeps what is deleted in a folder outside its trash; "
                        "messages gone from the source only left their folder there");
  if (!uids.empty() && !r.target.traits().uidplus)
    r.observer.note(Level::warning,
                    "folder " + r.folder.source.to_string() +
                        ": the target has no UIDPLUS, so messages gone from the source are only "
                        "marked \\Deleted there");
  co_await r.journal.forget(r.folder.id, std::move(keys));
  co_return uids.size();
}

}  // namespace postferry
