#include "engine/settle/stranger_look.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/fingerprint.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;

}  // namespace

Task<void> read_likenesses(TargetSession& target, Strangers& strangers, std::vector<Uid> uids,
                           std::map<Uid, std::uint64_t>* hashes) {
  for (std::size_t at = 0; at < uids.size(); at += kHeadersAtOnce) {
    const std::size_t end = std::min(at + kHeadersAtOnce, uids.size());
    std::vector<Uid> part(uids.begin() + static_cast<std::ptrdiff_t>(at),
                          uids.begin() + static_cast<std::ptrdiff_t>(end));
    for (HeaderEntry& header : co_await target.headers(std::move(part))) {
      const auto place = strangers.find(header.key.uid());
      if (!place) continue;
      if (hashes) (*hashes)[header.key.uid()] = header_hash(header.fields);
      const TargetEntry entry = strangers.entry(*place);
      strangers.set_likeness(*place,
                             likeness(as_target_tells(std::move(header.fields), target.traits()),
                                      entry.size_bytes, entry.date, entry.uid.value));
    }
  }
}

Task<void> speak_for_others(Journal& journal, const FolderRecord& folder, Strangers& strangers,
                            const std::map<std::size_t, MessageRow>& unplaced,
                            const std::vector<MessageRow>& orphans) {
  std::vector<CopyLook> theirs =
      co_await journal.copies_without_uid(folder.target_folder, folder.id);
  if (theirs.empty()) co_return;
  std::ranges::sort(theirs);
  std::vector<CopyLook> ours;
  const auto add = [&ours](const MessageRow& row) {
    if (row.date) ours.push_back({row.size_bytes, row.date->seconds});
  };
  for (const auto& [index, row] : unplaced) add(row);
  for (const MessageRow& row : orphans) add(row);
  std::ranges::sort(ours);
  for (std::size_t at = 0; at < strangers.size(); ++at) {
    const TargetEntry entry = strangers.entry(at);
    if (!entry.date) continue;
    const CopyLook look{entry.size_bytes, entry.date->seconds};
    if (std::ranges::binary_search(theirs, look) && !std::ranges::binary_search(ours, look))
      strangers.speak_for(at, true);
  }
}

Task<void> leave_out_others(Journal& journal, const FolderRecord& folder,
                            const Strangers& strangers, std::vector<Uid>& uids) {
  if (uids.empty()) co_return;
  const std::vector<CopyLook> theirs =
      co_await journal.copies_without_uid(folder.target_folder, folder.id);
  std::multiset<CopyLook> looks(theirs.begin(), theirs.end());
  std::erase_if(uids, [&](Uid uid) {
    const TargetEntry entry = strangers.entry(*strangers.place(uid));
    if (!entry.date) return false;
    const auto at = looks.find({entry.size_bytes, entry.date->seconds});
    if (at == looks.end()) return false;
    looks.erase(at);
    return true;
  });
}

}  // namespace postferry
