#include "engine/catalogue.h"

#include <algorithm>
#include <numeric>

#include "engine/error.h"

namespace postferry {

namespace {

constexpr std::uint64_t kRoomAtMost = 1 << 22;  // messages, before they are there
constexpr std::uint64_t kKindsAtMost = 1 << 21;
constexpr std::int64_t kLatest = (std::int64_t{1} << 38) - 1;

}  // namespace

std::uint64_t Catalogue::intern(const Flags& flags, std::optional<std::int16_t> zone_minutes) {
  const auto [at, fresh] =
      kinds_index_.try_emplace({flags.to_string(), zone_minutes}, kinds_.size());
  if (fresh) {
    if (kinds_.size() == kKindsAtMost)
      throw Error(ErrorKind::protocol, "the server tells millions of different sets of flags");
    kinds_.push_back({flags, zone_minutes});
  }
  return at->second;
}

Catalogue::About Catalogue::about(std::uint64_t size_bytes, const std::optional<InternalDate>& date,
                                  const Flags& flags) {
  About about{};
  about.size_bytes = std::min(size_bytes, kLargest);
  about.seconds = date ? std::clamp(date->seconds, -kLatest, kLatest) : 0;
  about.kind = intern(flags, date ? std::optional(date->zone_minutes) : std::nullopt);
  return about;
}

void Catalogue::add(const MessageKey& key, std::uint64_t size_bytes,
                    std::optional<InternalDate> date, const Flags& flags) {
  std::uint32_t number = key.uid().value;
  if (!key.is_uid()) {
    number = static_cast<std::uint32_t>(texts_.size());
    texts_.push_back(key.uidl());
  }
  keys_.push_back(number);
  about_.push_back(about(size_bytes, date, flags));
}

void Catalogue::update(std::size_t index, std::optional<std::uint64_t> size_bytes,
                       std::optional<InternalDate> date, const std::optional<Flags>& flags) {
  const Entry old = (*this)[index];
  const Flags kept = *old.flags;
  about_[index] =
      about(size_bytes.value_or(old.size_bytes), date ? date : old.date, flags.value_or(kept));
}

MessageKey Catalogue::key(std::size_t index) const {
  return by_uid() ? MessageKey(Uid{keys_[index]}) : MessageKey(texts_[keys_[index]]);
}

Catalogue::Entry Catalogue::operator[](std::size_t index) const {
  const About& about = about_[index];
  const Kind& kind = kinds_[about.kind];
  Entry out{key(index), about.size_bytes, std::nullopt, &kind.flags};
  if (kind.zone_minutes) out.date = InternalDate{about.seconds, *kind.zone_minutes};
  return out;
}

bool Catalogue::has_made_up_keys() const {
  return std::ranges::any_of(texts_,
                             [](const std::string& text) { return MessageKey(text).is_made_up(); });
}

void Catalogue::reserve(std::uint64_t count) {
  const auto room = static_cast<std::size_t>(std::min(count, kRoomAtMost));
  keys_.reserve(room);
  about_.reserve(room);
}

std::size_t Catalogue::from(Uid uid) const {
  return static_cast<std::size_t>(std::ranges::lower_bound(keys_, uid.value) - keys_.begin());
}

std::optional<std::size_t> Catalogue::find(const MessageKey& key) const {
  if (by_uid()) {
    const std::size_t at = from(key.uid());
    if (at == keys_.size() || keys_[at] != key.uid().value) return std::nullopt;
    return at;
  }
  if (texts_index_.empty())
    for (std::size_t i = 0; i < keys_.size(); ++i) texts_index_.emplace(texts_[keys_[i]], i);
  const auto at = texts_index_.find(key.uidl());
  return at == texts_index_.end() ? std::nullopt : std::optional(at->second);
}

void Catalogue::sort() {
  if (!by_uid() || std::ranges::is_sorted(keys_, std::less_equal<>{})) return;
  std::vector<std::uint32_t> order(keys_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, {}, [this](std::uint32_t i) { return keys_[i]; });
  std::vector<std::uint32_t> keys;
  std::vector<About> about;
  keys.reserve(order.size());
  about.reserve(order.size());
  for (const std::uint32_t i : order) {
    if (!keys.empty() && keys.back() == keys_[i]) {
      about.back() = about_[i];
      continue;
    }
    keys.push_back(keys_[i]);
    about.push_back(about_[i]);
  }
  keys_ = std::move(keys);
  about_ = std::move(about);
}

}  // namespace postferry
