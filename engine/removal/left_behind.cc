#include "engine/removal/left_behind.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/counted.h"

namespace postferry {

namespace {

/// Said of one or of many.
std::string words(LeftBecause why) {
  switch (why) {
    case LeftBecause::copy_gone:
      return "what was copied is not on the target as it was copied";
    case LeftBecause::copy_differs:
      return "what the target had before has the same header, but is not the same byte for byte";
    case LeftBecause::not_proved:
      return "it cannot be proved that this is what was copied under that name";
    case LeftBecause::no_header:
      return "the source gives no header that would prove that this is what was copied";
  }
  return {};
}

/// What the user accepts is the lack of a copy, not a name that may be another message's.
bool may_be_let_go(const FailureRow& failure) {
  return failure.left == LeftBecause::copy_gone || failure.left == LeftBecause::copy_differs;
}

using Failures = std::map<MessageKey, FailureRow>;

Task<Failures> known_in(Journal& journal, FolderId folder) {
  Failures known;
  for (FailureRow& failure : co_await journal.failures(folder))
    if (failure.left) known.emplace(failure.key, std::move(failure));
  co_return known;
}

}  // namespace

Task<void> note_left_behind(LeftBehind r) {
  const Failures known = co_await known_in(r.journal, r.folder.id);
  if (known.empty() && r.left.empty()) co_return;
  const auto same = [&](const MessageKey& key) {
    const auto before = known.find(key);
    return before != known.end() && before->second.left == r.left.at(key);
  };
  std::vector<MessageKey> news, over;
  for (const auto& [key, why] : r.left) {
    const bool told =
        same(key) && (known.at(key).accepted || known.at(key).run.value == r.run.value);
    if (!told) news.push_back(key);
  }
  for (const auto& [key, failure] : known)
    if (!r.left.contains(key)) over.push_back(key);
  Record record;
  record.folder = r.folder.id;
  record.target_folder = r.folder.target_folder;
  for (MessageRow& row : co_await r.journal.rows_for(r.folder.id, std::move(over))) {
    const bool seen = row.state >= MessageState::seen && may_be_let_go(known.at(row.key));
    if (seen || r.leaving.contains(row.key)) record.rows.push_back(std::move(row));
  }
  std::map<LeftBecause, std::vector<MessageKey>> told;
  for (MessageRow& row : co_await r.journal.rows_for(r.folder.id, std::move(news))) {
    const LeftBecause why = r.left.at(row.key);
    told[why].push_back(row.key);
    FailureRow failure{row.key, row.size_bytes, "left at the source: " + words(why), r.run};
    failure.left = why;
    record.failures.push_back(std::move(failure));
    // Whatever was accepted before was something else.
    if (!same(row.key)) record.rows.push_back(std::move(row));
  }
  co_await r.journal.record(std::move(record));
  for (const auto& [why, keys] : told)
    r.observer.note(Level::warning, "folder " + r.folder.source.to_string() + ": " +
                                        counted(keys.size(), "message stays", "messages stay") +
                                        " at the source: " + words(why) + " (" + some_of(keys) +
                                        ")");
}

Task<std::uint64_t> count_left_behind(Journal& journal, FolderId folder) {
  std::uint64_t count = 0;
  for (const auto& [key, failure] : co_await known_in(journal, folder)) count += !failure.accepted;
  co_return count;
}

Task<void> let_go(Journal& journal, FolderId folder) {
  std::vector<MessageKey> keys;
  for (const auto& [key, failure] : co_await known_in(journal, folder))
    if (may_be_let_go(failure)) keys.push_back(key);
  if (keys.empty()) co_return;
  Record record;
  record.folder = folder;
  record.rows = co_await journal.rows_for(folder, std::move(keys));
  for (MessageRow& row : record.rows)
    if (row.state == MessageState::copied) row.state = MessageState::seen;
  co_await journal.record(std::move(record));
}

Task<void> end_left_behind(Journal& journal, FolderId folder, std::vector<MessageKey> keys) {
  if (keys.empty()) co_return;
  Record record;
  record.folder = folder;
  record.rows = co_await journal.rows_for(folder, std::move(keys));
  co_await journal.record(std::move(record));
}

}  // namespace postferry
