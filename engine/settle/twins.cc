#include "engine/settle/twins.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/settle/body_digests.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;

constexpr Comparison kExact{.forgiving = false, .munged_header = false};

Task<std::vector<Uid>> equal_in_bytes(TargetSession& target, std::vector<Suspect> suspects) {
  std::set<Uid> wanted;
  for (const Suspect& suspect : suspects) {
    if (suspect.copies.empty()) continue;
    wanted.insert(suspect.entry.uid);
    wanted.insert(suspect.copies.begin(), suspect.copies.end());
  }
  std::vector<Uid> equal;
  if (wanted.empty()) co_return equal;
  const std::map<Uid, Sha256> digests =
      co_await target_digests(target, {wanted.begin(), wanted.end()}, kExact);
  for (const Suspect& suspect : suspects) {
    const auto own = digests.find(suspect.entry.uid);
    const bool twin = own != digests.end() && std::ranges::any_of(suspect.copies, [&](Uid uid) {
                        const auto copy = digests.find(uid);
                        return copy != digests.end() && copy->second == own->second;
                      });
    if (twin) equal.push_back(suspect.entry.uid);
  }
  co_return equal;
}

/// What copies look like, as far as a BriefLikeness has it.
Task<std::map<Uid, Fingerprint>> read_prints(TargetSession& target, std::vector<Uid> uids) {
  std::map<Uid, Fingerprint> prints;
  for (HeaderEntry& header : co_await target.headers(std::move(uids)))
    prints.emplace(
        header.key.uid(),
        BriefLikeness(likeness(as_target_tells(std::move(header.fields), target.traits()), 0,
                               std::nullopt, 0))
            .print());
  co_return prints;
}

}  // namespace

Task<std::map<Fingerprint, std::vector<Uid>>> CopyHeaders::by_print(TargetSession& target,
                                                                    const Strangers& strangers,
                                                                    std::vector<MessageRow> rows) {
  std::map<Fingerprint, std::vector<Uid>> out;
  std::set<Uid> unread;
  for (const MessageRow& row : rows) {
    if (const auto place = strangers.place(row.target_uid)) {
      out[strangers.print(*place)].push_back(row.target_uid);
    } else if (row.target_uid && !prints_.contains(row.target_uid)) {
      unread.insert(row.target_uid);
    }
  }
  while (!unread.empty()) {
    std::vector<Uid> part;
    while (!unread.empty() && part.size() < kHeadersAtOnce)
      part.push_back(unread.extract(unread.begin()).value());
    prints_.merge(co_await read_prints(target, std::move(part)));
  }
  for (const MessageRow& row : rows)
    if (const auto print = prints_.find(row.target_uid); print != prints_.end())
      out[print->second].push_back(row.target_uid);
  co_return out;
}

namespace {

/// The rows of a batch's members.
Task<std::vector<MessageRow>> rows_of(const SuspectRequest& r, std::vector<MessageKey> keys,
                                      const std::vector<MessageRow>& fresh) {
  std::vector<MessageRow> rows = co_await r.journal.rows_for(r.folder, keys);
  std::ranges::sort(keys);
  for (const MessageRow& row : fresh)
    if (std::ranges::binary_search(keys, row.key)) rows.push_back(row);
  co_return rows;
}

/// The flags with which the batch tried to store those that these rows' copies are.
std::map<Uid, Flags> sent_with(const OpenBatch& batch, const std::vector<MessageRow>& rows) {
  std::map<MessageKey, const Flags*> by_key;
  for (std::size_t i = 0; i < std::min(batch.keys.size(), batch.flags.size()); ++i)
    by_key.emplace(batch.keys[i], &batch.flags[i]);
  std::map<Uid, Flags> out;
  for (const MessageRow& row : rows)
    if (const auto flags = by_key.find(row.key); row.target_uid && flags != by_key.end())
      out.emplace(row.target_uid, *flags->second);
  return out;
}

}  // namespace

Task<std::vector<Suspect>> suspects(
    SuspectRequest request, const std::vector<MessageRow>& fresh,
    std::function<bool(std::size_t place, const TargetEntry& entry)> passed_over) {
  Strangers& strangers = request.strangers;
  std::map<Uid, Suspect> found;
  for (const OpenBatch& batch : request.batches) {
    if (batch.folder != request.folder || !batch.uid_next || batch.uid_validity == 0) continue;
    const std::vector<MessageRow> rows = co_await rows_of(request, batch.keys, fresh);
    const std::map<Uid, Flags> sent = sent_with(batch, rows);
    const auto members = co_await request.headers.by_print(request.target, strangers, rows);
    for (std::size_t at = strangers.from(batch.uid_next); at < strangers.size(); ++at) {
      if (!strangers.left(at)) continue;
      const auto group = members.find(strangers.print(at));
      if (group == members.end()) continue;
      const TargetEntry entry = strangers.entry(at);
      if (passed_over(at, entry)) continue;
      Suspect& suspect = found[entry.uid];
      suspect.entry = entry;
      for (const Uid copy : group->second) {
        suspect.copies.push_back(copy);
        if (const auto flags = sent.find(copy); flags != sent.end())
          suspect.sent.push_back(flags->second);
      }
    }
  }
  std::vector<Suspect> list;
  for (auto& [uid, suspect] : found) list.push_back(std::move(suspect));
  co_return list;
}

Task<std::vector<Uid>> late_copies(TargetSession& target, std::vector<Suspect> suspects,
                                   bool dated) {
  std::set<Uid> wanted;
  for (const Suspect& suspect : suspects)
    wanted.insert(suspect.copies.begin(), suspect.copies.end());
  if (wanted.empty()) co_return std::vector<Uid>{};
  const Catalogue there = co_await target.catalogue(*wanted.begin());
  // A late copy comes with what APPEND keeps of the flags; nobody stores the rest after it.
  // One may have been marked already, by a removal that was cut short.
  const auto equal_in_flags = [&target](const Flags& copy, Flags late) {
    if (!(copy.system & Flags::deleted)) late.system &= static_cast<std::uint8_t>(~Flags::deleted);
    Flags kept = copy;
    if (target.traits().loses_flagged) kept.system &= static_cast<std::uint8_t>(~Flags::flagged);
    return late == copy || late == kept;
  };
  // Keywords that the folder does not take were left out.
  const auto sent_with = [&equal_in_flags](Flags sent, const Flags& late) {
    if (!late.minus(sent).keywords.empty()) return false;
    sent.keywords = late.keywords;
    return equal_in_flags(sent, late);
  };
  for (Suspect& suspect : suspects) {
    std::erase_if(suspect.copies, [&](Uid uid) {
      const auto at = there.find(MessageKey(uid));
      // The later of the two goes, so that another journal which takes our copy for a late one of
      // its own does not leave none.
      if (!at || uid >= suspect.entry.uid) return true;
      const Catalogue::Entry copy = there[*at];
      const bool same_date = copy.date == suspect.entry.date;
      const bool as_sent = same_date && (dated || copy.date) &&
                           std::ranges::any_of(suspect.sent, [&](const Flags& sent) {
                             return sent_with(sent, suspect.entry.flags);
                           });
      return (dated && !same_date) ||
             !(as_sent || equal_in_flags(*copy.flags, suspect.entry.flags));
    });
  }
  co_return co_await equal_in_bytes(target, std::move(suspects));
}

namespace {

using Suspects = std::map<std::size_t, Suspect>;

/// Equal sizes are common, equal headers are not: those are read before any body.
Task<void> compare_headers(TargetSession& target, Strangers& strangers,
                           const std::function<bool(std::size_t)>& asked,
                           std::vector<CopySize> copies, Suspects& suspects) {
  for (std::size_t begin = 0; begin < copies.size(); begin += kHeadersAtOnce) {
    const std::size_t end = std::min(begin + kHeadersAtOnce, copies.size());
    std::vector<Uid> part;
    for (std::size_t i = begin; i < end; ++i)
      if (part.empty() || part.back() != copies[i].uid) part.push_back(copies[i].uid);
    const std::map<Uid, Fingerprint> prints = co_await read_prints(target, std::move(part));
    for (std::size_t i = begin; i < end; ++i) {
      const auto print = prints.find(copies[i].uid);
      if (print == prints.end()) continue;
      for (const std::size_t at : strangers.alike(print->second))
        if (asked(at) &&
            (strangers.identified(at) || strangers.size_bytes(at) == copies[i].size_bytes))
          suspects[at].copies.push_back(copies[i].uid);
    }
  }
}

}  // namespace

Task<std::vector<Uid>> equal_to_recorded(TargetSession& target, Journal& journal,
                                         TargetFolderId folder, Strangers& strangers,
                                         std::function<bool(std::size_t)> asked) {
  std::set<std::uint64_t> sizes;
  Suspects suspects;
  for (std::size_t at = 0; at < strangers.size(); ++at) {
    if (!strangers.left(at) || !asked(at)) continue;
    sizes.insert(strangers.size_bytes(at));
    for (const std::size_t other : strangers.alike(strangers.print(at), Strangers::Which::taken))
      if (strangers.identified(at) || strangers.size_bytes(at) == strangers.size_bytes(other))
        suspects[at].copies.push_back(strangers.uid(other));
  }
  std::vector<CopySize> copies =
      co_await journal.copies_sized(folder, {sizes.begin(), sizes.end()});
  std::erase_if(copies, [&](const CopySize& copy) { return strangers.place(copy.uid); });
  std::ranges::sort(copies);
  const auto repeats = std::ranges::unique(copies);
  copies.erase(repeats.begin(), repeats.end());
  co_await compare_headers(target, strangers, asked, std::move(copies), suspects);
  std::vector<Suspect> list;
  for (auto& [at, suspect] : suspects) {
    suspect.entry.uid = strangers.uid(at);
    list.push_back(std::move(suspect));
  }
  co_return co_await equal_in_bytes(target, std::move(list));
}

}  // namespace postferry
