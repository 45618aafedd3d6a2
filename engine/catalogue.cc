#include "engine/catalogue.h"

#include <algorithm>

namespace postferry {

std::uint32_t Catalogue::intern(const Flags& flags) {
  const auto [at, fresh] =
      flags_index_.try_emplace(flags.to_string(), static_cast<std::uint32_t>(flags_list_.size()));
  if (fresh) flags_list_.push_back(flags);
  return at->second;
}

void Catalogue::add(const MessageKey& key, std::uint64_t size_bytes,
                    std::optional<InternalDate> date, const Flags& flags) {
  std::uint32_t number = key.uid().value;
  if (!key.is_uid()) {
    number = static_cast<std::uint32_t>(texts_.size());
    texts_.push_back(key.uidl());
  }
  entries_.push_back({size_bytes, date ? date->seconds : 0, number, intern(flags),
                      date ? date->zone_minutes : std::int16_t{0}, date.has_value()});
}

MessageKey Catalogue::key(std::size_t index) const {
  const Compact& entry = entries_[index];
  return by_uid() ? MessageKey(Uid{entry.key}) : MessageKey(texts_[entry.key]);
}

Catalogue::Entry Catalogue::operator[](std::size_t index) const {
  const Compact& entry = entries_[index];
  Entry out{key(index), entry.size_bytes, std::nullopt, &flags_list_[entry.flags]};
  if (entry.dated) out.date = InternalDate{entry.seconds, entry.zone_minutes};
  return out;
}

std::optional<std::size_t> Catalogue::find(const MessageKey& key) const {
  if (by_uid()) {
    const auto at =
        std::lower_bound(entries_.begin(), entries_.end(), key.uid().value,
                         [](const Compact& entry, std::uint32_t uid) { return entry.key < uid; });
    if (at == entries_.end() || at->key != key.uid().value) return std::nullopt;
    return static_cast<std::size_t>(at - entries_.begin());
  }
  if (texts_index_.empty())
    for (std::size_t i = 0; i < entries_.size(); ++i)
      texts_index_.emplace(texts_[entries_[i].key], i);
  const auto at = texts_index_.find(key.uidl());
  return at == texts_index_.end() ? std::nullopt : std::optional(at->second);
}

void Catalogue::sort() {
  if (!by_uid()) return;
  const auto by_key = [](const Compact& a, const Compact& b) { return a.key < b.key; };
  if (!std::is_sorted(entries_.begin(), entries_.end(), by_key))
    std::sort(entries_.begin(), entries_.end(), by_key);
  const auto same = [](const Compact& a, const Compact& b) { return a.key == b.key; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
}

}  // namespace postferry
