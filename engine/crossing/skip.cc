#include "engine/crossing/skip.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace postferry {

namespace {

constexpr std::string_view kNotSubscribed = ", not subscribed";  // behind the options' hash

/// 0 and 1 are what servers say that track nothing.
bool tracked(const FolderNumbers& now, const FolderNumbers& then) {
  return now.highest_modseq.value_or(0) > 1 && now.highest_modseq == then.highest_modseq;
}

}  // namespace

bool same_messages(const FolderNumbers& now, const FolderNumbers& then) {
  const bool without_uids =
      !now.uid_validity && !now.uid_next && !then.uid_validity && !then.uid_next;
  if (without_uids) return tracked(now, then) && then.messages.has_value();
  return now.uid_validity && now.uid_next && now.messages &&
         now.uid_validity == then.uid_validity && now.uid_next == then.uid_next &&
         now.messages == then.messages;
}

std::string noted_under(std::string selection_hash, bool subscription_refused) {
  if (subscription_refused) selection_hash += kNotSubscribed;
  return selection_hash;
}

bool subscription_refused(const FolderRecord& record) {
  return record.options_hash.ends_with(kNotSubscribed);
}

bool under_same_options(const FolderRecord& record, const std::string& selection_hash) {
  return record.options_hash == noted_under(selection_hash, subscription_refused(record));
}

Proof prove(const MappedFolder& folder, const FolderRecord& record,
            const std::string& selection_hash) {
  const FolderNumbers& now = folder.source.numbers;
  const FolderNumbers& target = folder.target_numbers;
  if (!folder.exists || !record.completed || !under_same_options(record, selection_hash))
    return Proof::none;
  if (folder.source.subscribed && !folder.target_subscribed && !subscription_refused(record))
    return Proof::none;
  const FolderNumbers& then = *record.completed;
  if (!same_messages(now, then) || !target.uid_validity || !target.uid_next) return Proof::none;
  if (record.target_uid_validity != target.uid_validity ||
      Uid{*target.uid_next} != record.target_uid_next_seen || record.batches_open)
    return Proof::none;
  // An empty folder has no flags to change.
  if (now.messages == 0u || tracked(now, then)) return Proof::nothing_to_do;
  return now.highest_modseq.value_or(0) <= 1 ? Proof::flags_unknown : Proof::none;
}

Tally unchanged(const FolderRecord& record) {
  Tally tally;
  tally.seen = *record.completed->messages;
  tally.present = std::min(record.completed_present, tally.seen);
  tally.filtered = tally.seen - tally.present;
  return tally;
}

Task<Uid> least_uid_next(Journal& journal, TargetFolderRecord folder) {
  Uid least = std::max(folder.uid_next_seen, folder.watermark);
  for (const MessageRow& row : co_await journal.last_rows(folder.id, 1))
    least = std::max(least, Uid{row.target_uid.value + 1});
  for (const OpenBatch& batch : co_await journal.open_batches(folder.id))
    least = std::max(least, batch.uid_next);
  co_return least;
}

bool source_went_back(const std::vector<MappedFolder>& folders,
                      const std::map<FolderName, FolderRecord>& records) {
  return std::ranges::any_of(folders, [&records](const MappedFolder& folder) {
    const auto record = records.find(folder.source.name);
    if (record == records.end() || !record->second.completed) return false;
    const FolderNumbers &now = folder.source.numbers, &then = *record->second.completed;
    return now.uid_validity && now.uid_validity == then.uid_validity &&
           (now.uid_next.value_or(UINT32_MAX) < then.uid_next.value_or(0) ||
            now.highest_modseq.value_or(UINT64_MAX) < then.highest_modseq.value_or(0));
  });
}

bool target_went_back(const std::vector<MappedFolder>& folders,
                      const std::map<FolderName, FolderRecord>& records) {
  return std::ranges::any_of(folders, [&records](const MappedFolder& folder) {
    const auto record = records.find(folder.source.name);
    const FolderNumbers& now = folder.target_numbers;
    return record != records.end() && now.uid_next && now.uid_validity &&
           now.uid_validity == record->second.target_uid_validity &&
           Uid{*now.uid_next} < record->second.target_uid_next_seen;
  });
}

}  // namespace postferry
