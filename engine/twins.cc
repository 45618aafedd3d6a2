#include "engine/twins.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/body_digests.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;

constexpr Comparison kExact{.forgiving = false, .munged_header = false};

Task<std::vector<Uid>> equal_in_bytes(TargetSession& target, std::vector<Suspect> suspects) {
  std::set<Uid> wanted;
  for (const Suspect& suspect : suspects) {
    if (suspect.rows.empty()) continue;
    wanted.insert(suspect.entry.uid);
    for (const MessageRow& row : suspect.rows) wanted.insert(row.target_uid);
  }
  std::vector<Uid> equal;
  if (wanted.empty()) co_return equal;
  const std::map<Uid, Sha256> digests =
      co_await target_digests(target, {wanted.begin(), wanted.end()}, kExact);
  for (const Suspect& suspect : suspects) {
    const auto own = digests.find(suspect.entry.uid);
    const bool twin =
        own != digests.end() && std::ranges::any_of(suspect.rows, [&](const MessageRow& row) {
          const auto copy = digests.find(row.target_uid);
          return copy != digests.end() && copy->second == own->second;
        });
    if (twin) equal.push_back(suspect.entry.uid);
  }
  co_return equal;
}

}  // namespace

Task<std::map<Fingerprint, std::vector<MessageRow>>> CopyHeaders::by_print(
    TargetSession& target, std::vector<MessageRow> rows) {
  std::set<Uid> unread;
  for (const MessageRow& row : rows)
    if (row.target_uid && !prints_.contains(row.target_uid)) unread.insert(row.target_uid);
  while (!unread.empty()) {
    std::vector<Uid> part;
    while (!unread.empty() && part.size() < kHeadersAtOnce)
      part.push_back(unread.extract(unread.begin()).value());
    for (HeaderEntry& header : co_await target.headers(std::move(part)))
      prints_.emplace(header.key.uid(),
                      fingerprint(as_target_tells(std::move(header.fields), target.traits())));
  }
  std::map<Fingerprint, std::vector<MessageRow>> out;
  for (MessageRow& row : rows)
    if (const auto print = prints_.find(row.target_uid); print != prints_.end())
      out[print->second].push_back(std::move(row));
  co_return out;
}

Task<std::vector<Uid>> late_copies(TargetSession& target, std::vector<Suspect> suspects,
                                   bool dated) {
  std::set<Uid> wanted;
  for (const Suspect& suspect : suspects)
    for (const MessageRow& row : suspect.rows)
      if (row.target_uid) wanted.insert(row.target_uid);
  if (wanted.empty()) co_return std::vector<Uid>{};
  std::map<Uid, TargetEntry> copies;
  for (TargetEntry& entry : co_await target.look(*wanted.begin()))
    if (wanted.contains(entry.uid)) copies.emplace(entry.uid, std::move(entry));
  // A late copy comes with what APPEND keeps of the flags; nobody stores the rest after it.
  // One may have been marked already, by a removal that was cut short.
  const auto equal_in_flags = [&target](const Flags& copy, Flags late) {
    if (!(copy.system & Flags::deleted)) late.system &= static_cast<std::uint8_t>(~Flags::deleted);
    Flags kept = copy;
    if (target.traits().loses_flagged) kept.system &= static_cast<std::uint8_t>(~Flags::flagged);
    return late == copy || late == kept;
  };
  for (Suspect& suspect : suspects) {
    std::erase_if(suspect.rows, [&](const MessageRow& row) {
      const auto copy = copies.find(row.target_uid);
      return copy == copies.end() || row.target_uid == suspect.entry.uid ||
             (dated && copy->second.date != suspect.entry.date) ||
             !equal_in_flags(copy->second.flags, suspect.entry.flags);
    });
  }
  co_return co_await equal_in_bytes(target, std::move(suspects));
}

Task<std::vector<Uid>> equal_to_recorded(TargetSession& target, Journal& journal,
                                         TargetFolderId folder, std::vector<Likeness> strangers,
                                         std::vector<MessageRow> fresh, CopyHeaders& copies) {
  std::set<std::uint64_t> sizes;
  for (const Likeness& stranger : strangers) sizes.insert(stranger.size_bytes);
  std::vector<MessageRow> rows = co_await journal.rows_sized(folder, {sizes.begin(), sizes.end()});
  // These have just been read, so that a size which is only the store's own hides none of them.
  for (MessageRow& row : fresh)
    if (row.target_uid) rows.push_back(std::move(row));
  // Equal sizes are common, equal headers are not: those are read before any body.
  const auto by_print = co_await copies.by_print(target, std::move(rows));
  std::vector<Suspect> suspects;
  for (const Likeness& stranger : strangers) {
    const auto group = by_print.find(stranger.print);
    if (group == by_print.end()) continue;
    Suspect suspect;
    suspect.entry.uid = Uid{static_cast<std::uint32_t>(stranger.index)};
    for (const MessageRow& row : group->second)
      if ((stranger.identified || row.size_bytes == stranger.size_bytes) &&
          row.target_uid != suspect.entry.uid)
        suspect.rows.push_back(row);
    suspects.push_back(std::move(suspect));
  }
  co_return co_await equal_in_bytes(target, std::move(suspects));
}

}  // namespace postferry
