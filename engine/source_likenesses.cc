#include "engine/source_likenesses.h"

#include <algorithm>
#include <utility>

#include "engine/fingerprint.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;

}  // namespace

Task<std::vector<Likeness>> SourceLikenesses::likenesses(std::vector<std::size_t> indices) {
  std::vector<MessageKey> missing;
  for (const std::size_t index : indices)
    if (!likeness_.contains(index)) missing.push_back(catalogue_.key(index));
  for (std::size_t at = 0; at < missing.size(); at += kHeadersAtOnce) {
    const std::size_t end = std::min(at + kHeadersAtOnce, missing.size());
    std::vector<MessageKey> part(missing.begin() + static_cast<std::ptrdiff_t>(at),
                                 missing.begin() + static_cast<std::ptrdiff_t>(end));
    for (HeaderEntry& header : co_await source_.headers(std::move(part))) {
      const auto index = catalogue_.find(header.key);
      if (!index) continue;
      header_[*index] = header_hash(header.fields);
      const Catalogue::Entry entry = catalogue_[*index];
      likeness_[*index] = likeness(as_target_tells(std::move(header.fields), target_.traits()),
                                   entry.size_bytes, entry.date, *index);
    }
  }
  std::vector<Likeness> out;
  for (const std::size_t index : indices)
    if (const auto at = likeness_.find(index); at != likeness_.end()) out.push_back(at->second);
  co_return out;
}

std::optional<std::uint64_t> SourceLikenesses::header(std::size_t index) const {
  const auto at = header_.find(index);
  return at == header_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace postferry
