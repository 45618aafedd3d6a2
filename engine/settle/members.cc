#include "engine/settle/members.h"

#include <algorithm>

namespace postferry {

Members::Members(const Catalogue& catalogue, const std::vector<Standing>& standing, FolderId folder,
                 const std::vector<OpenBatch>& batches)
    : standing_(standing) {
  for (const OpenBatch& batch : batches) {
    if (batch.folder != folder) continue;
    nameless_batch_ = nameless_batch_ || (batch.keys.empty() && !batch.settled);
    for (std::size_t i = 0; i < batch.keys.size(); ++i) {
      const auto at = catalogue.find(batch.keys[i]);
      if (!at) left_its_name_ = !catalogue.by_uid();
      // One that is filtered now was sent, too, and keeps its copy from its equals.
      if (!at || !is_wanted(standing_[*at])) continue;
      sent_.emplace(*at,
                    Sent{batch.run, i < batch.flags.size() ? batch.flags[i] : *catalogue[*at].flags,
                         batch.uid_next});
      if (!batch.settled) awaited_.push_back(static_cast<std::uint32_t>(*at));
    }
  }
  std::ranges::sort(awaited_);
  awaited_.erase(std::ranges::unique(awaited_).begin(), awaited_.end());
}

bool Members::missing() const {
  return nameless_batch_ ||
         std::ranges::any_of(awaited_, [this](std::size_t i) { return is_wanted(standing_[i]); });
}

std::optional<Members::Sent> Members::sent(std::size_t index, Uid uid, const Flags& flags) const {
  std::optional<Sent> out;
  for (auto [at, end] = sent_.equal_range(index); at != end; ++at) {
    if (uid < at->second.uid_next) continue;
    out = at->second;
    if (out->flags == flags) break;
  }
  return out;
}

}  // namespace postferry
