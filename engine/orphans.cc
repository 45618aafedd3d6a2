#include "engine/orphans.h"

#include <algorithm>
#include <utility>

#include "engine/body_digests.h"
#include "engine/follow.h"

namespace postferry {

Orphans::Orphans(const std::vector<MessageRow>& rows, const TargetTraits& traits)
    : bytes_stay_(!traits.munges_8bit && !traits.adds_received && !traits.rewrites_message_id) {
  for (const MessageRow& row : rows) {
    by_size_[row.size_bytes].push_back(row);
    if (row.header) headers_.insert(*row.header);
  }
}

Task<std::vector<MessageRow>> Orphans::find_by_bytes(TargetSession& target,
                                                     const Strangers& strangers) {
  std::vector<Uid> wanted;
  std::vector<MessageRow> found;
  if (none()) co_return found;
  const auto tells_bytes = [](const MessageRow& orphan) { return orphan.sha256.has_value(); };
  for (std::size_t at = 0; at < strangers.size(); ++at)
    if (strangers.left(at) && find(strangers.entry(at), tells_bytes))
      wanted.push_back(strangers.uid(at));
  if (wanted.empty()) co_return found;
  std::map<Uid, Sha256> digests = co_await target_digests(
      target, std::move(wanted), {.forgiving = false, .munged_header = false});
  // A row without a date fits every copy of its bytes: it comes after those that have one, and does
  // not take what may be the copy of another while there is a third.
  enum class Fit { dated, undisputed, any };
  for (const Fit fit : {Fit::dated, Fit::undisputed, Fit::any})
    std::erase_if(digests, [&](const auto& one) {
      const TargetEntry entry = strangers.entry(*strangers.find(one.first));
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
                                              const std::map<Uid, std::uint64_t>& headers,
                                              const std::set<Uid>& wanted) {
  std::vector<MessageRow> found;
  for (std::size_t at = 0; !none() && at < strangers.size(); ++at) {
    if (!strangers.left(at) || strangers.spoken_for(at)) continue;
    const bool passed = wanted.contains(strangers.uid(at));
    const auto header = headers.find(strangers.uid(at));
    take(strangers.entry(at), found, [&](const MessageRow& orphan) {
      const bool same_header =
          !orphan.header || (header != headers.end() && orphan.header == header->second);
      return !(orphan.sha256 && bytes_stay_) && same_header &&
             !(passed && orphan.state < MessageState::leaving);
    });
  }
  return found;
}

bool Orphans::may_have_copy(const TargetEntry& entry, std::optional<std::uint64_t> header) const {
  if (header && headers_.contains(*header)) return true;
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
  if (orphan->header) headers_.erase(headers_.find(*orphan->header));
  found.back().target_uid = entry.uid;
  group.erase(group.begin() + (orphan - group.data()));
  return true;
}

}  // namespace postferry
