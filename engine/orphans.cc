#include "engine/orphans.h"

#include <algorithm>
#include <utility>

#include "engine/body_digests.h"
#include "engine/follow.h"

namespace postferry {

Orphans::Orphans(const std::vector<MessageRow>& rows, const TargetTraits& traits)
    : bytes_stay_(!traits.munges_8bit && !traits.adds_received && !traits.rewrites_message_id) {
  for (const MessageRow& row : rows) by_size_[row.size_bytes].push_back(row);
}

Task<std::vector<MessageRow>> Orphans::find_by_bytes(TargetSession& target,
                                                     const Strangers& strangers) {
  std::vector<Uid> wanted;
  for (const auto& [uid, stranger] : strangers)
    if (find(stranger.entry, [](const MessageRow& orphan) { return orphan.sha256.has_value(); }))
      wanted.push_back(uid);
  std::vector<MessageRow> found;
  if (wanted.empty()) co_return found;
  std::map<Uid, Sha256> digests = co_await target_digests(
      target, std::move(wanted), {.forgiving = false, .munged_header = false});
  // A row without a date fits every copy of its bytes: it comes after those that have one, and does
  // not take what may be the copy of another while there is a third.
  enum class Fit { dated, undisputed, any };
  for (const Fit fit : {Fit::dated, Fit::undisputed, Fit::any})
    std::erase_if(digests, [&](const auto& one) {
      const TargetEntry& entry = strangers.at(one.first).entry;
      const bool disputed =
          find(entry, [](const MessageRow& orphan) { return !orphan.sha256; }) != nullptr;
      if (fit == Fit::undisputed && disputed) return false;
      return take(entry, found, [&](const MessageRow& orphan) {
        return orphan.sha256 == one.second && (fit != Fit::dated || orphan.date);
      });
    });
  co_return found;
}

std::vector<MessageRow> Orphans::find_by_look(const Strangers& strangers,
                                              const std::set<Uid>& wanted) {
  std::vector<MessageRow> found;
  if (by_size_.empty()) return found;
  for (const auto& [uid, stranger] : strangers) {
    if (stranger.likeness.spoken_for) continue;
    const bool passed = wanted.contains(uid);
    take(stranger.entry, found, [&, header = stranger.header](const MessageRow& orphan) {
      return !(orphan.sha256 && bytes_stay_) && (!orphan.header || orphan.header == header) &&
             !(passed && orphan.state < MessageState::leaving);
    });
  }
  return found;
}

bool Orphans::may_have_copy(const TargetEntry& entry) const {
  return find(entry, [this](const MessageRow& orphan) { return !(orphan.sha256 && bytes_stay_); });
}

template <class Is>
const MessageRow* Orphans::find(const TargetEntry& entry, Is is) const {
  const auto group = by_size_.find(entry.size_bytes);
  if (group == by_size_.end()) return nullptr;
  const auto row = std::ranges::find_if(group->second, [&](const MessageRow& orphan) {
    return is_copy_of(orphan, entry) && is(orphan);
  });
  return row == group->second.end() ? nullptr : &*row;
}

template <class Is>
bool Orphans::take(const TargetEntry& entry, std::vector<MessageRow>& found, Is is) {
  const MessageRow* orphan = find(entry, is);
  if (!orphan) return false;
  std::vector<MessageRow>& group = by_size_.at(entry.size_bytes);
  found.push_back(*orphan);
  found.back().target_uid = entry.uid;
  group.erase(group.begin() + (orphan - group.data()));
  return true;
}

}  // namespace postferry
