#include "engine/relay/fates.h"

#include <algorithm>
#include <utility>

#include "engine/settle/another.h"
#include "engine/settle/body_digests.h"
#include "engine/settle/recognise.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;

}  // namespace

void RelayFates::list(FolderRecord of, Opened opened) {
  folder = std::move(of);
  begun = opened.numbers;
  catalogue = std::move(opened.catalogue);
  fates.assign(catalogue.size(), Fate::due);
}

Task<void> RelayFates::join() {
  if (catalogue.by_uid()) {
    co_await check_keys();
  } else {
    co_await recognise({source_, nullptr, ends_.journal, ends_.observer, catalogue, folder});
  }
  co_await join_rows();
  co_await join_failures();
  filter();
}

Record RelayFates::new_record() const {
  Record out;
  out.folder = folder.id;
  out.target_folder = folder.target_folder;
  return out;
}

template <class Take>
Task<void> RelayFates::for_each_row(Take take) {
  MessageKey after;
  for (;;) {
    std::vector<MessageRow> rows = co_await ends_.journal.rows(folder.id, after, kRowsAtOnce);
    if (rows.empty()) co_return;
    after = rows.back().key;
    for (MessageRow& row : rows) take(row);
  }
}

/// UIDs that no longer mean what they meant: there is nothing to look at on the target, so the
/// bytes of what was handed over say which of these messages it was.
Task<void> RelayFates::check_keys() {
  const bool told = begun.uid_validity.has_value();
  bool moved =
      told && folder.source_uid_validity && folder.source_uid_validity != begun.uid_validity;
  std::vector<MessageRow> rows;
  co_await for_each_row([this, &moved, &rows](MessageRow& row) {
    const auto index = catalogue.find(row.key);
    const bool never_given = !index && begun.uid_next && row.key.uid() >= Uid{*begun.uid_next};
    moved = moved || never_given || (index && is_another(row, catalogue[*index]));
    rows.push_back(std::move(row));
  });
  if (moved) {
    if (!rows.empty())
      ends_.observer.note(Level::warning,
                          "folder " + folder.source.to_string() +
                              ": recorded UIDs name other messages at the source now; what was "
                              "handed over is known by its bytes");
    co_await move_rows(std::move(rows));
  } else if (told && folder.source_uid_validity != begun.uid_validity && !options_.dry_run) {
    Record change = new_record();
    change.source_uid_validity = begun.uid_validity;
    co_await ends_.journal.record(std::move(change));
  }
}

Task<void> RelayFates::move_rows(std::vector<MessageRow> rows) {
  std::multimap<Sha256, MessageRow> by_bytes;
  std::set<std::uint64_t> sizes;
  Record change = new_record();
  change.void_keys = true;
  for (MessageRow& row : rows) {
    if (!row.sha256) continue;
    sizes.insert(row.listed_bytes.value_or(row.size_bytes));
    by_bytes.emplace(*row.sha256, std::move(row));
  }
  // Some servers tell other sizes of the same messages, too: while a row has not been found, all
  // others are looked at. What has been handed over once must not go again.
  for (const bool as_listed : {true, false}) {
    std::vector<Catalogue::Entry> wanted;
    for (std::size_t i = 0; i < catalogue.size() && !by_bytes.empty(); ++i)
      if (sizes.contains(catalogue.size_bytes(i)) == as_listed) wanted.push_back(catalogue[i]);
    if (wanted.empty()) continue;
    const std::map<MessageKey, Sha256> digests = co_await source_digests(
        source_, std::move(wanted), {.forgiving = false, .munged_header = false});
    for (const auto& [key, digest] : digests) {
      const auto at = by_bytes.find(digest);
      if (at == by_bytes.end()) continue;
      MessageRow row = std::move(at->second);
      by_bytes.erase(at);
      const auto index = catalogue.find(key);
      row.key = key;
      row.listed_bytes = catalogue.size_bytes(*index);
      row.date = catalogue[*index].date;
      moved_.push_back(row);
      change.rows.push_back(std::move(row));
    }
  }
  keys_void_ = true;
  change.source_uid_validity = begun.uid_validity;
  if (!options_.dry_run) co_await ends_.journal.record(std::move(change));
}

void RelayFates::join(const MessageRow& row) {
  const auto index = catalogue.find(row.key);
  if (!index) return;
  if (row.state == MessageState::left_out) {
    if (!options_.wants(row.size_bytes, row.date)) fates[*index] = Fate::filtered;
    return;
  }
  if (row.state == MessageState::unknown) {
    doubtful.insert(row.key);
    fates[*index] = options_.resend_unknown && row.run != run_ ? Fate::due : Fate::unknown;
    return;
  }
  ++known;
  const bool ours = row.run == run_;
  fates[*index] = ours ? Fate::sent : Fate::present;
  if (ours && !windows_.shown(row.key)) bytes_before += row.size_bytes;
}

Task<void> RelayFates::join_rows() {
  if (keys_void_) {
    for (const MessageRow& row : moved_) join(row);
  } else {
    co_await for_each_row([this](const MessageRow& row) { join(row); });
  }
}

Task<void> RelayFates::join_failures() {
  const std::int64_t now = unix_time((co_await current_scope()).executor());
  std::vector<MessageKey> gone;
  std::vector<FailureRow> failures;
  // A dry run leaves void ones in the journal: they speak of other messages.
  if (!keys_void_) failures = co_await ends_.journal.failures(folder.id);
  for (FailureRow& row : failures) {
    const auto index = catalogue.find(row.key);
    if (!index) {
      if (!source_.windowed()) gone.push_back(std::move(row.key));
      continue;
    }
    if (fates[*index] != Fate::due) continue;
    if (row.accepted) {
      fates[*index] = Fate::accepted;
    } else if (row.due_at) {
      const bool tried = row.run == run_;
      if (tried || (*row.due_at > now && !options_.only_failed)) fates[*index] = Fate::waiting;
      failed_before.emplace(*index, std::move(row));
    } else if (row.run == run_) {
      fates[*index] = Fate::rejected;
    } else {
      failed_before.emplace(*index, std::move(row));
    }
  }
  if (!gone.empty() && !options_.dry_run) co_await ends_.journal.forget(folder.id, std::move(gone));
  if (!options_.only_failed) co_return;
  for (std::size_t i = 0; i < fates.size(); ++i) {
    const bool failed = failed_before.contains(i) || doubtful.contains(catalogue.key(i));
    if (fates[i] == Fate::due && !failed) fates[i] = Fate::filtered;
  }
}

void RelayFates::filter() {
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (fates[i] != Fate::due) continue;
    const Catalogue::Entry entry = catalogue[i];
    if (!options_.wants(entry.size_bytes, entry.date)) fates[i] = Fate::filtered;
  }
}

std::size_t RelayFates::due() const {
  return static_cast<std::size_t>(std::ranges::count(fates, Fate::due));
}

std::vector<Catalogue::Entry> RelayFates::due_entries(std::size_t most) const {
  std::vector<Catalogue::Entry> out;
  for (const bool failed : {false, true})
    for (std::size_t i = 0; i < fates.size() && out.size() < most; ++i)
      if (fates[i] == Fate::due && failed_before.contains(i) == failed) out.push_back(catalogue[i]);
  return out;
}

Tally RelayFates::tally() const {
  Tally tally = windows_.messages();
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (!windows_.first() && windows_.shown(catalogue.key(i))) continue;
    ++tally.seen;
    switch (fates[i]) {
      case Fate::due:
      case Fate::waiting:
        ++tally.pending;
        break;
      case Fate::present:
        ++tally.present;
        break;
      case Fate::sent:
        ++tally.copied;
        break;
      case Fate::filtered:
        ++tally.filtered;
        break;
      case Fate::rejected:
        ++tally.rejected;
        break;
      case Fate::accepted:
        ++tally.rejected;
        ++tally.accepted;
        break;
      case Fate::vanished:
        ++tally.vanished;
        break;
      case Fate::unknown:
        ++tally.unknown;
        break;
    }
  }
  return tally;
}

}  // namespace postferry
