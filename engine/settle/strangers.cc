#include "engine/settle/strangers.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace postferry {

void Strangers::add(Catalogue fresh) {
  if (fresh.empty()) return;
  by_print_.clear();
  left_ += fresh.size();
  if (looks_.empty()) {
    there_ = std::move(fresh);
    looks_.resize(there_.size());
    taken_.resize(there_.size());
    return;
  }
  const Catalogue old = std::exchange(there_, {});
  const std::vector<BriefLikeness> looks = std::exchange(looks_, {});
  const std::vector<bool> taken = std::exchange(taken_, {});
  there_.reserve(old.size() + fresh.size());
  looks_.reserve(old.size() + fresh.size());
  const auto put = [this](const Catalogue::Entry& entry, const BriefLikeness& look, bool gone) {
    there_.add(entry.key, entry.size_bytes, entry.date, *entry.flags);
    looks_.push_back(look);
    taken_.push_back(gone);
  };
  std::size_t next = 0;
  for (std::size_t i = 0; i < old.size(); ++i) {
    while (next < fresh.size() && fresh.uid(next) < old.uid(i)) put(fresh[next++], {}, false);
    put(old[i], looks[i], taken[i]);
  }
  while (next < fresh.size()) put(fresh[next++], {}, false);
}

void Strangers::take(std::size_t at) {
  if (taken_[at]) return;
  taken_[at] = true;
  --left_;
}

std::optional<std::size_t> Strangers::find(Uid uid) const {
  const auto at = there_.find(MessageKey(uid));
  return at && left(*at) ? at : std::nullopt;
}

TargetEntry Strangers::entry(std::size_t at) const {
  const Catalogue::Entry entry = there_[at];
  return {entry.key.uid(), entry.size_bytes, entry.date, *entry.flags};
}

Likeness Strangers::likeness(std::size_t at) const {
  Likeness whole = looks_[at].whole(there_[at], uid(at).value);
  whole.altered = altered_;
  return whole;
}

void Strangers::set_likeness(std::size_t at, const Likeness& likeness) {
  const std::uint32_t number = looks_[at].number;
  looks_[at] = BriefLikeness(likeness);
  looks_[at].number = number;
  by_print_.clear();
}

std::vector<std::size_t> Strangers::alike(const Fingerprint& print, Which which) {
  const auto of = [this](std::uint32_t at) { return looks_[at].print(); };
  if (by_print_.empty()) {
    by_print_.resize(looks_.size());
    std::iota(by_print_.begin(), by_print_.end(), 0u);
    std::ranges::sort(by_print_, [&of](std::uint32_t a, std::uint32_t b) {
      return std::pair(of(a), a) < std::pair(of(b), b);
    });
  }
  std::vector<std::size_t> out;
  for (const std::uint32_t at : std::ranges::equal_range(by_print_, print, {}, of))
    if (left(at) == (which == Which::left)) out.push_back(at);
  std::ranges::stable_partition(
      out, [this](std::size_t at) { return (there_[at].flags->system & Flags::deleted) == 0; });
  return out;
}

}  // namespace postferry
