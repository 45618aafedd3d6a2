#include "engine/settle/source_likenesses.h"

#include <algorithm>
#include <utility>

#include "engine/fingerprint.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;

}  // namespace

Task<void> SourceLikenesses::each(std::vector<std::uint32_t> indices,
                                  std::function<bool(const Likeness&)> take) {
  for (std::size_t at = 0; at < indices.size(); at += kHeadersAtOnce) {
    const std::size_t end = std::min(at + kHeadersAtOnce, indices.size());
    std::vector<std::uint32_t> part(indices.begin() + static_cast<std::ptrdiff_t>(at),
                                    indices.begin() + static_cast<std::ptrdiff_t>(end));
    co_await each_of_part(std::move(part), take);
  }
}

Task<std::vector<Likeness>> SourceLikenesses::of(std::vector<std::uint32_t> indices) {
  std::vector<Likeness> out;
  co_await each(std::move(indices), [&out](const Likeness& likeness) {
    out.push_back(likeness);
    return true;
  });
  co_return out;
}

Task<void> SourceLikenesses::each_of_part(std::vector<std::uint32_t> indices,
                                          const std::function<bool(const Likeness&)>& take) {
  std::vector<MessageKey> missing;
  for (const std::uint32_t index : indices)
    if (!remembered(index)) missing.push_back(catalogue_.key(index));
  std::map<std::uint32_t, Likeness> fresh;
  if (!missing.empty()) fresh = co_await read(std::move(missing));
  std::vector<BriefLikeness> more;
  for (const std::uint32_t index : indices) {
    if (const auto old = remembered(index)) {
      take(*old);
      continue;
    }
    const auto at = fresh.find(index);
    if (at == fresh.end()) continue;
    BriefLikeness brief(at->second);
    brief.number = index;
    if (take(brief.whole(catalogue_[index], index))) more.push_back(brief);
  }
  remember(std::move(more));
}

std::optional<Likeness> SourceLikenesses::remembered(std::uint32_t index) const {
  const auto at = std::ranges::lower_bound(looks_, index, {}, &BriefLikeness::number);
  if (at == looks_.end() || at->number != index) return std::nullopt;
  return at->whole(catalogue_[index], index);
}

Task<std::map<std::uint32_t, Likeness>> SourceLikenesses::read(std::vector<MessageKey> keys) {
  std::map<std::uint32_t, Likeness> out;
  headers_.resize(catalogue_.size());
  for (HeaderEntry& header : co_await source_.headers(std::move(keys))) {
    const auto index = catalogue_.find(header.key);
    if (!index) continue;
    headers_[*index] = header_hash(header.fields);
    const Catalogue::Entry entry = catalogue_[*index];
    out.emplace(static_cast<std::uint32_t>(*index),
                likeness(as_target_tells(std::move(header.fields), target_.traits()),
                         entry.size_bytes, entry.date, *index));
  }
  co_return out;
}

void SourceLikenesses::remember(std::vector<BriefLikeness> more) {
  std::ranges::sort(more, {}, &BriefLikeness::number);
  const auto repeats = std::ranges::unique(more, {}, &BriefLikeness::number);
  more.erase(repeats.begin(), repeats.end());
  if (more.empty()) return;
  const auto above =
      std::ranges::lower_bound(looks_, more.front().number, {}, &BriefLikeness::number) -
      looks_.begin();
  const auto middle = static_cast<std::ptrdiff_t>(looks_.size());
  looks_.insert(looks_.end(), more.begin(), more.end());
  std::ranges::inplace_merge(looks_.begin() + above, looks_.begin() + middle, looks_.end(), {},
                             &BriefLikeness::number);
}

std::optional<std::uint64_t> SourceLikenesses::header(std::size_t index) const {
  if (index >= headers_.size() || headers_[index] == 0) return std::nullopt;
  return headers_[index];
}

void SourceLikenesses::clear() {
  looks_.clear();
  headers_.clear();
}

}  // namespace postferry
