#include "engine/settle/former_rows.h"

#include <utility>

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;

}  // namespace

Task<void> FormerRows::read(Journal& journal, FolderId folder) {
  MessageKey after;
  for (;;) {
    std::vector<MessageRow> rows = co_await journal.rows(folder, after, kRowsAtOnce);
    if (rows.empty()) co_return;
    after = rows.back().key;
    for (MessageRow& row : rows) {
      if (row.state == MessageState::left_out) continue;
      if (const Uid uid = row.target_uid) {
        by_copy.emplace(uid, std::move(row));
      } else {
        nowhere.push_back(std::move(row));
      }
    }
  }
}

void FormerRows::lose_places() {
  for (auto& [uid, row] : std::exchange(by_copy, {})) {
    row.target_uid = Uid{};
    nowhere.push_back(std::move(row));
  }
}

void FormerRows::clear() {
  by_copy.clear();
  nowhere.clear();
}

}  // namespace postferry
