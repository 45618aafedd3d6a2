#include "engine/known_looks.h"

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;

Task<std::set<std::uint32_t>> with_known_looks(Journal& journal, FolderId folder,
                                               const Catalogue& catalogue,
                                               const SourceLikenesses& likenesses,
                                               std::vector<std::uint32_t> indices) {
  std::multimap<std::uint64_t, std::uint32_t> by_header;
  for (const std::uint32_t index : indices)
    if (const auto header = likenesses.header(index)) by_header.emplace(*header, index);
  std::set<std::uint32_t> known;
  MessageKey after;
  while (!by_header.empty()) {
    const std::vector<MessageRow> rows = co_await journal.rows(folder, after, kRowsAtOnce);
    if (rows.empty()) break;
    after = rows.back().key;
    for (const MessageRow& row : rows) {
      if (!row.header) continue;
      const auto [first, last] = by_header.equal_range(*row.header);
      for (auto at = first; at != last; ++at)
        if (catalogue.key(at->second) != row.key) known.insert(at->second);
    }
  }
  co_return known;
}

}  // namespace

KnownLooks known_looks(Journal& journal, FolderId folder, const Catalogue& catalogue,
                       const SourceLikenesses& likenesses, const TargetTraits& traits) {
  if (traits.regenerates || traits.adds_received || traits.rewrites_message_id) return {};
  return [&journal, folder, &catalogue, &likenesses](std::vector<std::uint32_t> indices) {
    return with_known_looks(journal, folder, catalogue, likenesses, std::move(indices));
  };
}

}  // namespace postferry
