#include "connectors/pop3/maildrop.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace postferry::pop3 {

void Maildrop::store_key(Packed& entry, std::string_view key) {
  assert(key.size() < 1U << 16);
  entry.key_offset = keys_.size() & ((std::uint64_t{1} << 48) - 1);
  entry.key_size = key.size() & 0xffff;
  keys_ += key;
}

void Maildrop::add(Entry entry, std::string_view key) {
  Packed packed{};
  packed.number = entry.number;
  packed.size = entry.size_bytes;
  store_key(packed, key);
  entries_.push_back(packed);
}

void Maildrop::set_key(std::size_t index, std::string_view key) { store_key(entries_[index], key); }

std::string_view Maildrop::key(std::size_t index) const {
  const Packed& entry = entries_[index];
  return std::string_view(keys_).substr(entry.key_offset, entry.key_size);
}

std::vector<std::uint32_t> Maildrop::by_key() const {
  std::vector<std::uint32_t> order(entries_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [this](std::uint32_t a, std::uint32_t b) {
    const int compared = key(a).compare(key(b));
    return compared != 0 ? compared < 0 : a < b;
  });
  return order;
}

std::vector<std::size_t> Maildrop::ambiguous() const {
  const std::vector<std::uint32_t> order = by_key();
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const bool shared = (i > 0 && key(order[i - 1]) == key(order[i])) ||
                        (i + 1 < order.size() && key(order[i + 1]) == key(order[i]));
    if (shared || key(order[i]).empty()) indices.push_back(order[i]);
  }
  std::ranges::sort(indices);
  return indices;
}

void Maildrop::seal() {
  sorted_ = by_key();
  assert(std::ranges::adjacent_find(
             sorted_, {}, [this](std::uint32_t index) { return key(index); }) == sorted_.end());
}

std::optional<Maildrop::Entry> Maildrop::find(std::string_view wanted) const {
  const auto found = std::ranges::lower_bound(sorted_, wanted, {},
                                              [this](std::uint32_t index) { return key(index); });
  if (found == sorted_.end() || key(*found) != wanted) return std::nullopt;
  return (*this)[*found];
}

}  // namespace postferry::pop3
