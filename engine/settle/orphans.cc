#include "engine/settle/orphans.h"

#include <algorithm>
#include <utility>

#include "engine/settle/body_digests.h"
#include "engine/settle/follow.h"

namespace postferry {

namespace {

std::optional<std::uint64_t> header_of(const std::map<Uid, std::uint64_t>& headers, Uid uid) {
  const auto at = headers.find(uid);
  return at == headers.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

Orphans::Orphans(const std::vector<MessageRow>& rows, const TargetTraits& traits)
    : rows_(rows),
      bytes_stay_(!traits.munges_8bit && !traits.adds_received && !traits.rewrites_message_id) {
  for (std::size_t at = 0; at < rows_.size(); ++at) {
    by_size_.emplace(rows_[at].size_bytes, at);
    if (rows_[at].header) by_header_.emplace(*rows_[at].header, at);
  }
}

Task<std::vector<MessageRow>> Orphans::find_by_bytes(TargetSession& target,
                                                     const Strangers& strangers,
                                                     const std::map<Uid, std::uint64_t>& headers,
                                                     const std::map<Uid, std::uint64_t>& sizes) {
  std::vector<Uid> wanted;
  std::vector<MessageRow> found;
  if (none()) co_return found;
  const bool sizes_may_differ = bytes_stay_ && !target.traits().regenerates;
  const auto any = [&](TargetEntry entry, auto is) {
    Place at = find_by_size(entry, is);
    if (at || !sizes_may_differ) return at;
    if (const auto size = sizes.find(entry.uid); size != sizes.end()) {
      entry.size_bytes = size->second;
      at = find_by_size(entry, is);
    }
    return at ? at : find_by_header(entry, header_of(headers, entry.uid), is);
  };
  const auto tells_bytes = [](const MessageRow& orphan) { return orphan.sha256.has_value(); };
  for (std::size_t at = 0; at < strangers.size(); ++at)
    if (strangers.left(at) && any(strangers.entry(at), tells_bytes))
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
          find_by_size(entry, [](const MessageRow& orphan) { return !orphan.sha256; }).has_value();
      if (fit == Fit::undisputed && disputed) return false;
      const Place at = any(entry, [&](const MessageRow& orphan) {
        return orphan.sha256 == one.second && (fit != Fit::dated || orphan.date);
      });
      if (at) found.push_back(take(*at, entry.uid));
      return at.has_value();
    });
  co_return found;
}

bool Orphans::any_sized(std::uint64_t size_bytes) const {
  const auto [first, last] = by_size_.equal_range(size_bytes);
  return std::any_of(first, last,
                     [&](const auto& each) { return rows_[each.second].sha256.has_value(); });
}

std::vector<MessageRow> Orphans::find_by_look(const Strangers& strangers,
                                              const std::map<Uid, std::uint64_t>& headers,
                                              const std::set<Uid>& wanted) {
  std::vector<MessageRow> found;
  for (std::size_t at = 0; !none() && at < strangers.size(); ++at) {
    if (!strangers.left(at) || strangers.spoken_for(at)) continue;
    const bool passed = wanted.contains(strangers.uid(at));
    const auto header = header_of(headers, strangers.uid(at));
    const Place orphan = find_by_size(strangers.entry(at), [&](const MessageRow& row) {
      const bool same_header = !row.header || row.header == header;
      return !(row.sha256 && bytes_stay_) && same_header &&
             !(passed && row.state < MessageState::leaving);
    });
    if (orphan) found.push_back(take(*orphan, strangers.uid(at)));
  }
  return found;
}

bool Orphans::may_have_copy(const TargetEntry& entry, std::optional<std::uint64_t> header) const {
  if (header && by_header_.contains(*header)) return true;
  return find_by_size(entry, [this](const MessageRow& row) { return !(row.sha256 && bytes_stay_); })
      .has_value();
}

template <class Is>
Orphans::Place Orphans::find_by_size(const TargetEntry& entry, Is is) const {
  const auto [first, last] = by_size_.equal_range(entry.size_bytes);
  const auto one = std::find_if(first, last, [&](const auto& each) {
    return is_copy_of(rows_[each.second], entry) && is(rows_[each.second]);
  });
  return one == last ? Place() : one->second;
}

template <class Is>
Orphans::Place Orphans::find_by_header(const TargetEntry& entry,
                                       std::optional<std::uint64_t> header, Is is) const {
  if (!header) return std::nullopt;
  const auto [first, last] = by_header_.equal_range(*header);
  const auto one = std::find_if(first, last, [&](const auto& each) {
    return same_instant(rows_[each.second].date, entry.date) && is(rows_[each.second]);
  });
  return one == last ? Place() : one->second;
}

MessageRow Orphans::take(std::size_t at, Uid uid) {
  const auto forget = [at](auto& places, std::uint64_t key) {
    const auto [first, last] = places.equal_range(key);
    places.erase(std::find_if(first, last, [at](const auto& each) { return each.second == at; }));
  };
  MessageRow& row = rows_[at];
  forget(by_size_, row.size_bytes);
  if (row.header) forget(by_header_, *row.header);
  row.target_uid = uid;
  return std::move(row);
}

}  // namespace postferry
