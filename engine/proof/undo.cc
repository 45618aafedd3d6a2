#include "engine/proof/undo.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "engine/async/timeout.h"
#include "engine/counted.h"
#include "engine/crossing/folder_crossing.h"
#include "engine/crossing/lane.h"
#include "engine/crossing/retry.h"
#include "engine/fingerprint.h"
#include "engine/settle/proved_copies.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;
constexpr std::size_t kKeptListed = 1000;
constexpr const char* kUndo = "undo ";  // as the journal calls it, with the run's number

std::string lower_ascii(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return text;
}

class Undo {
 public:
  Undo(Ends ends, AccountIdentity identity, RunId run, CrossingOptions options,
       const StopRequest& stop)
      : ends_(ends), identity_(std::move(identity)), options_(std::move(options)), stop_(stop) {
    report_.run = run;
    report_.dry_run = options_.dry_run;
  }

  Task<UndoReport> run() {
    const AccountId account = co_await ends_.journal.account(
        identity_.name, identity_.source_identity, identity_.target_identity);
    const std::optional<RunRecord> known = co_await ends_.journal.run(account, report_.run);
    if (!known)
      throw Error(ErrorKind::usage, "the journal has no run " + std::to_string(report_.run.value));
    account_ = account;
    for (FolderRecord& folder : co_await ends_.journal.folders(account))
      co_await collect(std::move(folder));
    if (folders_.empty()) co_return std::move(report_);
    Executor& executor = (co_await current_scope()).executor();
    const TimePoint begun = executor.now();
    if (!report_.dry_run)
      own_ = co_await ends_.journal.begin_run(account, unix_time(executor),
                                              kUndo + std::to_string(report_.run.value));
    try {
      for (std::size_t i = 0; i < folders_.size() && !report_.stopped; ++i) co_await take_back(i);
      co_await say_goodbye(lane_, ends_.observer);
    } catch (const Error& error) {
      report_.error = error;
    }
    if (!report_.dry_run) {
      Ledger ledger;
      ledger.error = report_.error;
      ledger.outcome = report_.error || report_.stopped ? Outcome::interrupted : Outcome::complete;
      ledger.seconds = std::chrono::duration<double>(executor.now() - begun).count();
      co_await shielded(ends_.journal.end_run(own_, unix_time(executor), std::move(ledger)));
    }
    co_return std::move(report_);
  }

 private:
  struct FolderRows {
    FolderRecord record;
    std::vector<MessageRow> rows;
    /// Messages that the run, or an undo of it, was sending or removing when it died.
    std::uint64_t undecided = 0;
  };

  /// What is to be removed, and the journal's note of it.
  struct Doomed {
    std::vector<MessageRow> rows;
    std::map<Uid, std::uint64_t> sizes;  // as the target told them, which may be of its own
    std::int64_t batch = 0;
    bool forgotten = false;
  };

  Task<void> collect(FolderRecord record) {
    FolderRows found{std::move(record), {}};
    co_await read(found);
    if (found.rows.empty() && found.undecided == 0) co_return;
    UndoneFolder& undone = report_.folders.emplace_back();
    undone.source = found.record.source;
    undone.target = found.record.target;
    undone.appended = undone.pending = found.rows.size() + found.undecided;
    folders_.push_back(std::move(found));
  }

  Task<void> read(FolderRows& folder) {
    folder.rows.clear();
    for (MessageKey after;;) {
      std::vector<MessageRow> rows =
          co_await ends_.journal.rows_of_run(folder.record.id, report_.run, after, kRowsAtOnce);
      if (rows.empty()) break;
      after = rows.back().key;
      std::ranges::move(rows, std::back_inserter(folder.rows));
    }
    folder.undecided = 0;
    for (OpenBatch& batch : co_await ends_.journal.open_batches(folder.record.target_folder)) {
      if (batch.folder != folder.record.id || batch.run != report_.run || batch.settled) continue;
      const std::size_t keys = batch.keys.size();
      const auto known = co_await ends_.journal.rows_for(folder.record.id, std::move(batch.keys));
      folder.undecided += keys - known.size();
    }
  }

  Task<void> connect() {
    co_await postferry::connect(lane_, ends_.source, ends_.target);
    if (!lane_.target->traits().uidplus)
      throw Error(
          ErrorKind::usage,
          "the target has no UIDPLUS, so single messages cannot be removed; nothing was done",
          ends_.target.describe());
  }

  /// One folder, again after a lost line: what was decided and forgotten then is only removed now.
  Task<void> take_back(std::size_t index) {
    UndoneFolder& undone = report_.folders[index];
    std::optional<Permit> turn;
    if (ends_.turns) turn.emplace(co_await ends_.turns->take(folders_[index].record.target_folder));
    Doomed doomed;
    for (int attempt = 1;; ++attempt) {
      if (stop_.requested()) {
        report_.stopped = true;
        co_return;
      }
      std::optional<Error> failure;
      try {
        if (!lane_.whole()) co_await connect();
        if (folders_[index].undecided > 0 && !report_.dry_run) co_await settle(folders_[index]);
        co_await take_back_once(folders_[index], undone, doomed);
        undone.error.reset();
        co_return;
      } catch (const Error& error) {
        failure = error.in("folder " + undone.source.to_string());
      }
      lane_ = {};
      undone.error = failure;
      const Remedy remedy = remedy_for(*failure);
      if (remedy == Remedy::stop || (remedy == Remedy::again && attempt > options_.retries))
        throw Error(*failure);
      if (remedy == Remedy::next_folder) co_return;
      co_await wait_to_try_again(*failure, attempt, ends_.observer, stop_);
    }
  }

  /// A run that died has sent, and an undo that died has left, what no row names: a crossing that
  /// is stopped before it sends anything finds out.
  Task<void> settle(FolderRows& folder) {
    CrossingOptions options = options_;
    options.mirror_deletions = options.only_failed = false;
    options.remove_after.reset();
    MappedFolder mapped{{}, folder.record.target, Role::none, true, {}, false};
    mapped.source.name = folder.record.source;
    mapped.source.numbers = co_await lane_.source->select(folder.record.source);
    Ends ends = ends_;
    FolderTurns turns;  // ours is taken already
    ends.turns = &turns;
    ends.originals = nullptr;
    Room room(options.memory_bytes);
    Share share(room);
    Windows windows;
    FolderTally tally;
    FolderCrossingResult result;
    const auto at_once = [] { return true; };
    FolderCrossingRequest request{ends,
                                  *lane_.source,
                                  *lane_.target,
                                  options,
                                  account_,
                                  own_,
                                  identity_.source_identity,
                                  mapped,
                                  share,
                                  {},
                                  0,
                                  {},
                                  false,
                                  false,
                                  at_once,
                                  at_once,
                                  nullptr,
                                  windows,
                                  tally};
    co_await cross_folder(std::move(request), result);
    lane_ = {};  // as after every crossing that was stopped
    co_await connect();
    for (FolderRecord& record : co_await ends_.journal.folders(account_))
      if (record.id == folder.record.id) folder.record = std::move(record);
    co_await read(folder);
    folder.undecided = 0;
  }

  Task<void> take_back_once(const FolderRows& folder, UndoneFolder& undone, Doomed& doomed) {
    const FolderNumbers there = co_await lane_.target->select(folder.record.target);
    const TargetFolderRecord known =
        co_await ends_.journal.target_folder(folder.record.target_folder);
    const bool replaced = known.uid_validity != there.uid_validity.value_or(0);
    if (!doomed.forgotten) {
      UndoneFolder fresh;
      fresh.source = undone.source;
      fresh.target = undone.target;
      fresh.appended = folder.rows.size() + folder.undecided;
      doomed.rows.clear();
      co_await decide(folder, replaced, fresh, doomed);
      (report_.dry_run ? fresh.removed : fresh.pending) = doomed.rows.size();
      fresh.pending += folder.undecided;
      undone = std::move(fresh);
      if (report_.dry_run || doomed.rows.empty()) co_return;
      co_await forget(folder.record, known, doomed);
    }
    if (replaced)
      throw Error(ErrorKind::rejected, "the target numbered its messages anew meanwhile");
    co_await expunge(folder.record, undone, doomed);
  }

  Task<void> decide(const FolderRows& folder, bool replaced, UndoneFolder& undone, Doomed& doomed) {
    const FolderNumbers here = co_await lane_.source->select(folder.record.source);
    const Catalogue catalogue = co_await lane_.source->catalogue();
    const bool renumbered =
        folder.record.source_uid_validity && folder.record.source_uid_validity != here.uid_validity;
    std::vector<TargetEntry> entries;
    if (!replaced) entries = co_await lane_.target->look(Uid{1});
    const std::set<std::string> keywords = keywords_in(entries);
    const std::set<Uid> shared = co_await named_by_others(folder);
    std::vector<DoubtedCopy> doubted;
    for (const MessageRow& row : folder.rows) {
      const auto at = std::ranges::lower_bound(entries, row.target_uid, {}, &TargetEntry::uid);
      if (replaced || !row.target_uid) {
        keep(undone, row, "the target numbered its messages anew; run copy first");
      } else if (at == entries.end() || at->uid != row.target_uid) {
        ++undone.gone;
      } else if (shared.contains(row.target_uid)) {
        keep(undone, row, "it stands for another message, too");
      } else if (renumbered) {
        keep(undone, row, "the source numbered its messages anew; run copy first");
      } else if (row.state >= MessageState::leaving || !at_source(catalogue, row)) {
        keep(undone, row, "the source no longer has it: this may be the only copy");
      } else if (flags_changed(row, *at, keywords)) {
        keep(undone, row, "its flags were changed since");
      } else if (at->size_bytes != row.size_bytes || !same_instant(at->date, row.date)) {
        doubted.push_back({row, *at});
      } else {
        doomed.rows.push_back(row);
      }
      if (at != entries.end()) doomed.sizes[at->uid] = at->size_bytes;
    }
    const std::set<Uid> proved = co_await proved_copies(*lane_.target, doubted);
    for (DoubtedCopy& copy : doubted) {
      if (proved.contains(copy.there.uid)) {
        doomed.rows.push_back(std::move(copy.row));
      } else {
        keep(undone, copy.row, "it is not what was copied");
      }
    }
    if (!catalogue.by_uid()) co_await keep_what_its_uidl_names_no_longer(undone, doomed.rows);
  }

  /// A server that was restored from a backup gives its UIDs to other messages.
  static bool at_source(const Catalogue& catalogue, const MessageRow& row) {
    const auto index = catalogue.find(row.key);
    if (!index) return false;
    const Catalogue::Entry entry = catalogue[*index];
    const bool same_size = !row.listed_bytes || *row.listed_bytes == entry.size_bytes;
    const bool same_date =
        !row.date || !entry.date || row.date->seconds == entry.date->seconds || !catalogue.by_uid();
    return same_size && same_date;
  }

  /// And some POP3 servers name another message so.
  Task<void> keep_what_its_uidl_names_no_longer(UndoneFolder& undone,
                                                std::vector<MessageRow>& doomed) {
    constexpr std::size_t kHeadersAtOnce = 500;
    std::map<MessageKey, std::uint64_t> there;
    for (std::size_t at = 0; at < doomed.size(); at += kHeadersAtOnce) {
      std::vector<MessageKey> keys;
      for (std::size_t i = at; i < std::min(at + kHeadersAtOnce, doomed.size()); ++i)
        keys.push_back(doomed[i].key);
      for (const HeaderEntry& header : co_await lane_.source->headers(std::move(keys)))
        there.emplace(header.key, header_hash(header.fields));
    }
    std::erase_if(doomed, [&](const MessageRow& row) {
      const auto at = there.find(row.key);
      if (at != there.end() && (!row.header || *row.header == at->second)) return false;
      keep(undone, row, "the source no longer has it: this may be the only copy");
      return true;
    });
  }

  /// Keywords that the folder takes at all: others were never stored, and so nobody removed them.
  static std::set<std::string> keywords_in(const std::vector<TargetEntry>& entries) {
    std::set<std::string> out;
    for (const TargetEntry& entry : entries)
      for (const std::string& keyword : entry.flags.keywords) out.insert(lower_ascii(keyword));
    return out;
  }

  static bool flags_changed(const MessageRow& row, const TargetEntry& entry,
                            const std::set<std::string>& keywords) {
    Flags lost = row.flags.minus(entry.flags);
    std::erase_if(lost.keywords, [&](const std::string& keyword) {
      return !keywords.contains(lower_ascii(keyword));
    });
    return !entry.flags.minus(row.flags).empty() || !lost.empty();
  }

  /// UIDs that rows which stay name as well.
  Task<std::set<Uid>> named_by_others(const FolderRows& folder) {
    std::map<Uid, std::size_t> own;
    std::vector<Uid> uids;
    for (const MessageRow& row : folder.rows)
      if (row.target_uid && ++own[row.target_uid] == 1) uids.push_back(row.target_uid);
    std::map<Uid, std::size_t> all;
    for (const MessageRow& row :
         co_await ends_.journal.rows_at(folder.record.target_folder, std::move(uids)))
      ++all[row.target_uid];
    std::set<Uid> out;
    for (const auto& [uid, count] : all)
      if (count > own[uid]) out.insert(uid);
    co_return out;
  }

  static void keep(UndoneFolder& undone, const MessageRow& row, std::string why) {
    if (undone.kept.size() == kKeptListed) {
      ++undone.kept_left_out;
    } else {
      undone.kept.push_back({row.key, row.target_uid, std::move(why)});
    }
  }

  /// Before the messages go: a crash in between leaves messages that settle finds again, as those
  /// of a batch of the run.
  Task<void> forget(const FolderRecord& folder, const TargetFolderRecord& known, Doomed& doomed) {
    co_await ends_.journal.complete(folder.id, std::nullopt, folder.options_hash, 0);
    Record record;
    record.folder = folder.id;
    record.target_folder = folder.target_folder;
    OpenBatch batch;
    batch.folder = folder.id;
    batch.uid_validity = known.uid_validity.value_or(0);
    batch.uid_next = doomed.rows.front().target_uid;
    batch.opened_at = unix_time((co_await current_scope()).executor());
    batch.run = report_.run;
    for (const MessageRow& row : doomed.rows) {
      record.forget.push_back(row.key);
      batch.keys.push_back(row.key);
      batch.flags.push_back(row.flags);
      batch.uid_next = std::min(batch.uid_next, row.target_uid);
    }
    record.watermark = std::min(known.watermark, batch.uid_next);
    doomed.batch = co_await ends_.journal.open_batch(folder.target_folder, std::move(batch));
    co_await ends_.journal.record(std::move(record));
    co_await ends_.journal.make_durable();
    doomed.forgotten = true;
  }

  Task<void> expunge(const FolderRecord& folder, UndoneFolder& undone, const Doomed& doomed) {
    std::map<Uid, std::uint64_t> sizes;
    for (const MessageRow& row : doomed.rows)
      sizes[row.target_uid] = doomed.sizes.at(row.target_uid);
    std::vector<Uid> uids;
    for (const TargetEntry& entry : co_await lane_.target->look(sizes.begin()->first))
      if (const auto at = sizes.find(entry.uid);
          at != sizes.end() && at->second == entry.size_bytes)
        uids.push_back(entry.uid);
    std::optional<Error> refused;
    try {
      co_await lane_.target->expunge(std::move(uids));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
      refused = error;
    }
    if (!refused) {
      co_await ends_.journal.record(all_decided(folder, doomed));
      undone.removed = std::exchange(undone.pending, 0);
      co_return;
    }
    co_await leave_what_stays(folder, undone, doomed, sizes.begin()->first);
    throw Error(*refused);
  }

  static Record all_decided(const FolderRecord& folder, const Doomed& doomed) {
    Record record;
    record.folder = folder.id;
    record.target_folder = folder.target_folder;
    record.close_batches.push_back(doomed.batch);
    return record;
  }

  /// Some may have gone before the server refused, and others only been marked \Deleted. That mark
  /// is taken back, and the rows of what is there hold as they were.
  Task<void> leave_what_stays(const FolderRecord& folder, UndoneFolder& undone,
                              const Doomed& doomed, Uid from) {
    const std::vector<TargetEntry> there = co_await lane_.target->look(from);
    Record record = all_decided(folder, doomed);
    std::vector<Uid> marked;
    for (const MessageRow& row : doomed.rows) {
      const auto at = std::ranges::lower_bound(there, row.target_uid, {}, &TargetEntry::uid);
      if (at == there.end() || at->uid != row.target_uid) continue;
      record.rows.push_back(row);
      if ((at->flags.minus(row.flags).system & Flags::deleted) != 0)
        marked.push_back(row.target_uid);
    }
    undone.pending = record.rows.size();
    undone.removed = doomed.rows.size() - record.rows.size();
    std::ranges::sort(marked);
    try {
      if (!marked.empty()) co_await lane_.target->store(marked, Flags{Flags::deleted, {}}, false);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
      ends_.observer.note(Level::warning,
                          "folder " + undone.target.to_string() + ": " +
                              counted(marked.size(), "message stays", "messages stay") +
                              " marked \\Deleted there: " + error.what());
    }
    // Last: after a lost line all this is done again, for what the journal has forgotten.
    co_await ends_.journal.record(std::move(record));
  }

  Ends ends_;
  AccountIdentity identity_;
  CrossingOptions options_;
  const StopRequest& stop_;
  UndoReport report_;
  AccountId account_;
  RunId own_;
  std::vector<FolderRows> folders_;
  Lane lane_;
};

template <class Count>
std::uint64_t sum(const UndoReport& report, Count count) {
  std::uint64_t total = 0;
  for (const UndoneFolder& folder : report.folders) total += count(folder);
  return total;
}

}  // namespace

std::uint64_t UndoReport::appended() const {
  return sum(*this, [](const UndoneFolder& folder) { return folder.appended; });
}
std::uint64_t UndoReport::removed() const {
  return sum(*this, [](const UndoneFolder& folder) { return folder.removed; });
}
std::uint64_t UndoReport::gone() const {
  return sum(*this, [](const UndoneFolder& folder) { return folder.gone; });
}
std::uint64_t UndoReport::kept() const {
  return sum(*this,
             [](const UndoneFolder& folder) { return folder.kept.size() + folder.kept_left_out; });
}
std::uint64_t UndoReport::pending() const {
  return sum(*this, [](const UndoneFolder& folder) { return folder.pending; });
}

bool is_undo(const RunRecord& run) { return run.command.starts_with(kUndo); }

Task<UndoReport> undo_run(Ends ends, AccountIdentity account, RunId run, CrossingOptions options,
                          const StopRequest& stop) {
  Undo undo(ends, std::move(account), run, std::move(options), stop);
  co_return co_await undo.run();
}

}  // namespace postferry
