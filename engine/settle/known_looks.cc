#include "engine/settle/known_looks.h"

#include <algorithm>
#include <cstdint>
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
  std::set<std::uint32_t> known;
  MessageKey after;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> by_header;
  for (bool first = true;; first = false) {
    const std::vector<MessageRow> rows = co_await journal.rows(folder, after, kRowsAtOnce);
    if (rows.empty()) co_return known;
    after = rows.back().key;
    if (first) {
      for (const std::uint32_t index : indices)
        if (const auto header = likenesses.header(index)) by_header.emplace_back(*header, index);
      std::ranges::sort(by_header);
    }
    for (const MessageRow& row : rows) {
      if (!row.header) continue;
      for (const auto& [header, index] : std::ranges::equal_range(
               by_header, *row.header, {}, &std::pair<std::uint64_t, std::uint32_t>::first))
        if (catalogue.key(index) != row.key) known.insert(index);
    }
  }
}

}  // namespace

KnownLooks known_looks(Journal& journal, FolderId folder, const Catalogue& catalogue,
                       const SourceLikenesses& likenesses) {
  return [&journal, folder, &catalogue, &likenesses](std::vector<std::uint32_t> indices) {
    return with_known_looks(journal, folder, catalogue, likenesses, std::move(indices));
  };
}

}  // namespace postferry
