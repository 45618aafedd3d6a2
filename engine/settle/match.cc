#include "engine/settle/match.h"

#include <algorithm>
#include <cstring>

namespace postferry {

namespace {

/// Enough fields to recognise a message by its header alone.
constexpr int kStrongFields = 2;

constexpr int kAlike = 3;

bool same_date(const Likeness& source, const Likeness& target) {
  return tell_same_instant(source.date, target.date);
}

/// What is spoken for has its message, which may only have come back.
bool may_claim(const Likeness& source, const Likeness& target) {
  const bool may_have_size = target.altered || source.size_bytes == target.size_bytes;
  return !target.spoken_for || (same_date(source, target) && may_have_size);
}

/// Where both have a Received line, the topmost must agree: another delivery is another message.
bool may_be_same(const Likeness& source, const Likeness& target, bool target_adds_received) {
  if (!may_claim(source, target)) return false;
  return target_adds_received || !source.delivery || !target.delivery ||
         source.delivery == target.delivery;
}

/// Higher is liker, up to kAlike; sizes and dates only rank.
int rank(const Likeness& source, const Likeness& target) {
  return (source.size_bytes == target.size_bytes ? 2 : 0) + (same_date(source, target) ? 1 : 0);
}

/// Takes the best-ranking target for one source message out of `targets`.
std::optional<Likeness> take_likest(const Likeness& source, std::vector<Likeness>& targets,
                                    bool target_adds_received) {
  const std::size_t at = likest(source, targets, target_adds_received);
  if (at == targets.size()) return std::nullopt;
  const Likeness taken = targets[at];
  targets.erase(targets.begin() + static_cast<std::ptrdiff_t>(at));
  return taken;
}

}  // namespace

std::size_t likest(const Likeness& source, const std::vector<Likeness>& targets,
                   bool target_adds_received) {
  std::size_t best = targets.size();
  for (std::size_t at = 0; at < targets.size(); ++at)
    if (may_be_same(source, targets[at], target_adds_received) &&
        (best == targets.size() || rank(source, targets[at]) > rank(source, targets[best])))
      best = at;
  return best;
}

bool recognisable(const Ambiguous& group) {
  if (group.source.size() != 1) return false;
  if (std::ranges::any_of(group.target, &Likeness::by_bytes)) return false;
  const Likeness& source = group.source[0];
  // A target may tell a size of its own.
  const auto may_be_back = [&source](const Likeness& target) {
    return same_date(source, target) && !may_claim(source, target);
  };
  if (std::ranges::any_of(group.target, may_be_back)) return false;
  if (source.identified) return true;
  return source.print.fields >= kStrongFields && group.target.size() == 1 &&
         rank(source, group.target[0]) == kAlike;
}

BriefLikeness::BriefLikeness(const Likeness& likeness)
    : high_{static_cast<std::uint32_t>(likeness.print.high >> 32),
            static_cast<std::uint32_t>(likeness.print.high)},
      delivery_(static_cast<std::uint32_t>(likeness.delivery.value_or(0))),
      rest_(static_cast<std::uint32_t>(likeness.print.low & 0xff'ffff)),
      fields_(static_cast<std::uint32_t>(likeness.print.fields) & 7u),
      identified_(likeness.identified),
      delivered_(likeness.delivery.has_value()),
      spoken_for_(likeness.spoken_for),
      by_bytes_(likeness.by_bytes) {}

Fingerprint BriefLikeness::print() const {
  return {std::uint64_t{high_[0]} << 32 | high_[1], rest_,
          static_cast<int>(std::uint32_t{fields_})};
}

Likeness BriefLikeness::whole(const Catalogue::Entry& entry, std::size_t index) const {
  Likeness out{print(),    std::nullopt, identified_ != 0, entry.size_bytes,
               entry.date, index,        spoken_for(),     by_bytes_ != 0};
  if (delivered_) out.delivery = delivery_;
  return out;
}

HeaderFields as_target_tells(HeaderFields fields, const TargetTraits& traits) {
  if (traits.rewrites_message_id && fields.message_id)
    fields.message_id->resize(std::min(fields.message_id->find('@'), fields.message_id->size()));
  return fields;
}

Likeness likeness(const HeaderFields& fields, std::uint64_t size_bytes,
                  std::optional<InternalDate> date, std::size_t index) {
  Likeness out{fingerprint(fields), std::nullopt, false, size_bytes, date, index};
  out.identified = fields.message_id && out.print.fields >= kStrongFields;
  if (fields.received) {
    const Sha256 hash = sha256(canonical_field(*fields.received));
    std::uint64_t delivery = 0;
    std::memcpy(&delivery, hash.data(), sizeof delivery);
    out.delivery = delivery;
  }
  return out;
}

MatchResult match_by_header(const std::vector<Likeness>& source,
                            const std::vector<Likeness>& target, bool target_adds_received) {
  std::map<Fingerprint, Ambiguous> groups;
  for (const Likeness& message : target) groups[message.print].target.push_back(message);
  for (const Likeness& message : source)
    if (const auto at = groups.find(message.print); at != groups.end())
      at->second.source.push_back(message);
  MatchResult out;
  for (auto& [print, group] : groups) {
    if (group.source.empty()) continue;
    if (!recognisable(group)) {
      out.ambiguous.push_back(std::move(group));
    } else if (const auto taken =
                   take_likest(group.source[0], group.target, target_adds_received)) {
      out.pairs.emplace_back(group.source[0].index, taken->index);
    }
  }
  return out;
}

std::vector<std::pair<std::size_t, std::size_t>> match_by_bytes(
    const Ambiguous& group, const std::map<std::size_t, Sha256>& source_digests,
    const std::map<std::size_t, Sha256>& target_digests) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  std::vector<Likeness> targets = group.target, sources;
  const auto equal = [&](const Likeness& source, const Likeness& target) {
    const auto s = source_digests.find(source.index);
    const auto t = target_digests.find(target.index);
    return s != source_digests.end() && t != target_digests.end() && s->second == t->second;
  };
  // Messages of equal bytes are told apart by their dates, where they have kept them. While more
  // may come what has another date may be the second copy of one of them.
  sources = group.source;
  const auto has_date = [](const Likeness& message) { return message.date.has_value(); };
  const bool by_date_only = group.more_may_come && sources.size() > 1 &&
                            std::ranges::all_of(sources, has_date) &&
                            std::ranges::all_of(targets, has_date);
  for (const bool dated : {true, false}) {
    if (!dated && by_date_only) break;
    std::erase_if(sources, [&](const Likeness& source) {
      const auto at = std::ranges::find_if(targets, [&](const Likeness& target) {
        const bool needs_date = dated || (target.spoken_for && !target.by_bytes);
        return equal(source, target) && (same_date(source, target) || !needs_date);
      });
      if (at == targets.end()) return false;
      pairs.emplace_back(source.index, at->index);
      targets.erase(at);
      return true;
    });
  }
  if (group.known_look) return pairs;
  // Bytes that a server changed tell nothing; one delivery that is there once on each side does.
  std::erase_if(sources, [&](const Likeness& source) {
    if (!source.identified || !source.delivery) return false;
    const auto same = [&](const Likeness& other) { return other.delivery == source.delivery; };
    const auto at = std::ranges::find_if(targets, same);
    if (at == targets.end() || std::ranges::count_if(group.target, same) != 1 ||
        std::ranges::count_if(group.source, same) != 1 || !may_claim(source, *at))
      return false;
    pairs.emplace_back(source.index, at->index);
    targets.erase(at);
    return true;
  });
  // What has left the source meanwhile has no digest, and may have been another message.
  const auto has_left = [&](const Likeness& s) { return !source_digests.contains(s.index); };
  std::erase_if(sources, has_left);
  if (sources.empty() || !sources[0].identified) return pairs;
  const Sha256& first = source_digests.at(sources[0].index);
  const bool interchangeable = std::ranges::all_of(group.source, [&](const Likeness& s) {
    return has_left(s) || source_digests.at(s.index) == first;
  });
  if (!interchangeable) return pairs;
  // Sizes that a server changed tell equal messages not apart; their dates do.
  std::erase_if(sources, [&](const Likeness& source) {
    const auto at = std::ranges::find_if(targets, [&](const Likeness& target) {
      return same_date(source, target) && may_be_same(source, target, false);
    });
    if (at == targets.end()) return false;
    pairs.emplace_back(source.index, at->index);
    targets.erase(at);
    return true;
  });
  if (by_date_only || std::ranges::any_of(group.source, has_left)) return pairs;
  for (const Likeness& source : sources)
    if (const auto taken = take_likest(source, targets, false))
      pairs.emplace_back(source.index, taken->index);
  return pairs;
}

}  // namespace postferry
