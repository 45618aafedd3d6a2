#include "engine/folder_crossing.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "engine/after_copy.h"
#include "engine/async/task_group.h"
#include "engine/body_digests.h"
#include "engine/follow.h"
#include "engine/recognise.h"
#include "engine/transfer.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;
/// Without UIDPLUS, UIDs are learned by settling: after this many messages, not after all.
constexpr std::size_t kUnknownUidsAtMost = 1000;
/// What is being fetched costs memory, message by message: of a large folder a part is asked for at
/// a time.
constexpr std::size_t kDueAtMost = 20'000;
/// A server that goes on after a lost line has stopped by then; a run begun at once may be over
/// before.
constexpr std::chrono::seconds kLateArrivals{600};

class FolderCrosser {
 public:
  FolderCrosser(FolderCrossingRequest request, FolderCrossingResult& result)
      : r_(request), result_(result), at_once_(r_.at_once) {}

  Task<void> run() {
    const std::uint64_t known_size = r_.folder.source.numbers.messages.value_or(0);
    r_.tally.messages = r_.windows.messages();
    if (r_.windows.first()) r_.tally.messages.seen = r_.tally.messages.pending = known_size;
    bytes_copied_ = r_.windows.bytes_copied();
    record_ = co_await r_.ends.journal.folder(r_.account, r_.folder.source.name, r_.folder.target);
    const Permit turn = co_await r_.ends.turns->take(record_.target_folder);
    record_ = co_await r_.ends.journal.folder(r_.account, r_.folder.source.name, r_.folder.target);
    // A refusal at one end must not cut the other end short: both sessions live on.
    std::optional<Error> refused;
    co_await with_group([this, &refused](TaskGroup& group) -> Task<void> {
      group.spawn(unless_refused(read_source(), refused));
      group.spawn(unless_refused(open_target(), refused));
      co_await group.join();
    });
    if (refused) throw *refused;
    co_await note_validity();
    if (!catalogue_.by_uid()) {
      TargetSession* target = r_.options.dry_run ? nullptr : &r_.target;
      co_await recognise(
          {r_.source, target, r_.ends.journal, r_.ends.observer, catalogue_, record_});
    }
    co_await join_rows();
    co_await check_source_keys();
    co_await join_failures();
    filter();
    count();
    plan();
    if (r_.options.dry_run) co_return;
    co_await settle_folder(target_numbers_);
    if (r_.condemned) co_await give_up(*r_.condemned);
    co_await follow();
    if (r_.first_run && due() > 0 && target_numbers_.messages.value_or(0) > 0) {
      note(Level::info,
           "the target folder is not empty, and the journal has no earlier run: what users deleted "
           "there since another run comes back");
    }
    while (due() > 0 && !r_.stop()) {
      const std::size_t before = due();
      co_await transfer();
      handled_ += before - due();
      if (result_.stopped) break;
      if (due() >= before) break;
      if (at_once_ < standing_.size()) at_once_ *= 2;  // it went well
    }
    result_.stopped = result_.stopped || (due() > 0 && r_.stop());
    co_await finish();
    if (result_.stopped) co_return;
    co_await move_window();
    if (r_.options.remove_after) co_await remove();
    if (!catalogue_.by_uid())
      result_.more_windows =
          r_.windows.take(catalogue_, {catalogue_.size(), known_, handled_, r_.source.windowed()},
                          r_.tally.messages, bytes_copied_);
  }

 private:
  static Task<void> unless_refused(Task<void> task, std::optional<Error>& refused) {
    try {
      co_await std::move(task);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
      refused = error;
    }
  }

  Task<void> read_source() {
    Opened opened = co_await r_.source.open_with_catalogue(r_.folder.source.name);
    begun_ = opened.numbers;
    catalogue_ = std::move(opened.catalogue);
    if (!catalogue_.remark.empty()) note(Level::warning, catalogue_.remark);
    standing_.assign(catalogue_.size(), Standing::due);
    count();
  }

  Task<void> open_target() {
    if (r_.options.dry_run) co_return;
    if (!r_.folder.exists) {
      co_await r_.target.create(r_.folder.target, r_.folder.role);
      r_.folder.exists = true;
    }
    if (r_.folder.source.subscribed && !r_.folder.target_subscribed) {
      co_await r_.target.subscribe(r_.folder.target);
      r_.folder.target_subscribed = true;
    }
    target_numbers_ = co_await r_.target.select(r_.folder.target);
  }

  /// Keys and UIDs that no longer mean what they meant are void before anything is joined.
  Task<void> note_validity() {
    Record noted;
    noted.folder = record_.id;
    noted.target_folder = record_.target_folder;
    if (begun_.uid_validity && record_.source_uid_validity != begun_.uid_validity) {
      if (record_.source_uid_validity) {
        note(Level::warning, "the source's UIDVALIDITY changed; its messages are matched anew");
        co_await keep_former_rows();
      } else {
        noted.source_uid_validity = begun_.uid_validity;
      }
    }
    target_folder_ = co_await r_.ends.journal.target_folder(record_.target_folder);
    if (r_.options.dry_run) co_return;
    const std::uint32_t validity = target_numbers_.uid_validity.value_or(0);
    const bool replaced = target_folder_.uid_validity && *target_folder_.uid_validity != validity;
    const bool went_back =
        target_numbers_.uid_next && Uid{*target_numbers_.uid_next} < target_folder_.uid_next_seen;
    if (replaced || went_back) {
      note(Level::warning, replaced
                               ? "the target's UIDVALIDITY changed; its messages are matched anew"
                               : "the target's UIDNEXT went back; its messages are matched anew");
      co_await r_.ends.journal.reset_target_folder(target_folder_.id, validity);
      record_.matched = false;
      former_.clear();  // they were named by what the target's UIDs meant
    } else if (!target_folder_.uid_validity) {
      noted.target_uid_validity = validity;
    }
    if (noted.source_uid_validity || noted.target_uid_validity)
      co_await r_.ends.journal.record(std::move(noted));
    target_folder_ = co_await r_.ends.journal.target_folder(record_.target_folder);
  }

  /// A copy that is found again by its header keeps its history: who made it, and from which bytes.
  /// The journal keeps the rows until then, too: what comes between must not cost their histories.
  Task<void> keep_former_rows() {
    keys_void_ = void_rows_ = true;
    record_.matched = false;
    MessageKey after;
    while (true) {
      std::vector<MessageRow> rows = co_await r_.ends.journal.rows(record_.id, after, kRowsAtOnce);
      if (rows.empty()) break;
      after = rows.back().key;
      for (MessageRow& row : rows)
        if (const Uid uid = row.target_uid) former_.emplace(uid, std::move(row));
    }
  }

  /// The journal was told that what it knew is void.
  Task<void> join_anew() {
    standing_.assign(catalogue_.size(), Standing::due);
    unplaced_.clear();
    orphans_.clear();
    flag_changes_.clear();
    gone_.clear();
    recorded_ = known_ = 0;
    bytes_copied_ = r_.windows.bytes_copied();
    co_await join_rows();
    filter();
  }

  /// A source server that was restored from a backup gives its UIDs to other messages.
  Task<void> check_source_keys() {
    if (!source_moved_ || void_rows_) co_return;
    note(Level::warning,
         "recorded UIDs name other messages at the source now; its messages are matched anew");
    co_await keep_former_rows();
    if (r_.options.dry_run) co_return;
    co_await join_anew();
  }

  /// Merge-joins the catalogue with the journal, a page of rows at a time.
  Task<void> join_rows() {
    std::size_t at = 0;
    MessageKey after;
    while (!keys_void_) {
      const std::vector<MessageRow> rows =
          co_await r_.ends.journal.rows(record_.id, after, kRowsAtOnce);
      if (rows.empty()) break;
      after = rows.back().key;
      for (const MessageRow& row : rows) {
        ++recorded_;
        std::optional<std::size_t> index;
        if (catalogue_.by_uid() && row.key.is_uid()) {
          while (at < catalogue_.size() && catalogue_.uid(at) < row.key.uid()) ++at;
          if (at < catalogue_.size() && catalogue_.uid(at) == row.key.uid()) index = at;
        } else {
          index = catalogue_.find(row.key);
        }
        join(row, index);
      }
    }
  }

  /// Another size and another date than recorded; some servers tell one or the other as they
  /// please.
  static bool is_another(const MessageRow& row, const Catalogue::Entry& entry) {
    const bool same_date = row.date && entry.date && row.date->seconds == entry.date->seconds;
    return row.listed_bytes && *row.listed_bytes != entry.size_bytes && !same_date;
  }

  void join(const MessageRow& row, std::optional<std::size_t> index) {
    if (!index) {
      const bool never_given =
          row.key.is_uid() && begun_.uid_next && row.key.uid() >= Uid{*begun_.uid_next};
      source_moved_ = source_moved_ || never_given;
      if (!row.target_uid) orphans_.push_back(row);
      const bool left_alone = row.state < MessageState::leaving;
      if (r_.options.mirror_deletions && left_alone) gone_.push_back(row);
      return;
    }
    const Catalogue::Entry entry = catalogue_[*index];
    if (catalogue_.by_uid()) source_moved_ = source_moved_ || is_another(row, entry);
    if (!row.target_uid) {  // its copy must be found again
      unplaced_.emplace(*index, row);
      return;
    }
    const bool ours = row.run == r_.run && row.origin == Origin::appended;
    standing_[*index] = ours ? Standing::copied : Standing::present;
    ++known_;
    if (ours && !r_.windows.shown(row.key)) bytes_copied_ += row.size_bytes;
    if (!catalogue_.by_uid()) return;
    const Flags now = flags_to_follow(row, *entry.flags);
    if (!(now == row.flags)) flag_changes_.push_back({row.key, row.target_uid, row.flags, now});
  }

  /// What the user settled is not tried again, nor in this run what failed in it, however often the
  /// line is lost; what failed in an earlier one is. What is no longer at the source failed
  /// nowhere.
  Task<void> join_failures() {
    std::vector<MessageKey> gone;
    std::vector<FailureRow> failures;
    if (!keys_void_) failures = co_await r_.ends.journal.failures(record_.id);
    for (FailureRow& row : failures) {
      const auto index = catalogue_.find(row.key);
      if (!index) {
        if (!r_.source.windowed()) gone.push_back(std::move(row.key));
      } else if (standing_[*index] != Standing::due) {
        continue;
      } else if (row.accepted) {
        standing_[*index] = Standing::accepted;
      } else if (row.run == r_.run) {
        standing_[*index] = Standing::rejected;
      } else {
        failed_before_.insert(*index);
      }
    }
    if (!gone.empty() && !r_.options.dry_run)
      co_await r_.ends.journal.forget(record_.id, std::move(gone));
    if (!r_.options.only_failed) co_return;
    for (std::size_t i = 0; i < standing_.size(); ++i)
      if (standing_[i] == Standing::due && !failed_before_.contains(i))
        standing_[i] = Standing::filtered;
  }

  void filter() {
    for (std::size_t i = 0; i < standing_.size(); ++i) {
      if (standing_[i] != Standing::due) continue;
      const Catalogue::Entry entry = catalogue_[i];
      if (!r_.options.wants(entry.size_bytes, entry.date)) standing_[i] = Standing::filtered;
    }
  }

  void plan() const {
    std::uint64_t messages = 0, bytes = 0;
    for (std::size_t i = 0; i < standing_.size(); ++i) {
      if (standing_[i] != Standing::due) continue;
      ++messages;
      bytes += catalogue_.size_bytes(i);
    }
    r_.ends.observer.folder_planned(r_.folder.source.name, catalogue_.size(), messages, bytes);
  }

  Task<void> settle_folder(FolderNumbers numbers) {
    batches_ = co_await r_.ends.journal.open_batches(target_folder_.id);
    SettleRequest request{
        r_.source, r_.target, r_.ends.journal, r_.ends.observer, catalogue_,         standing_,
        unplaced_, orphans_,  former_,         record_,          target_folder_,     numbers,
        batches_,  r_.run,    still(),         keys_void_,       begun_.uid_validity};
    const SettleResult settled = co_await settle(std::move(request));
    if (settled.moved) {
      note(Level::warning,
           "recorded UIDs name other messages on the target now; its messages are matched anew");
      co_await r_.ends.journal.reset_target_folder(target_folder_.id,
                                                   target_numbers_.uid_validity.value_or(0));
      record_.matched = false;
      former_.clear();
      target_folder_ = co_await r_.ends.journal.target_folder(record_.target_folder);
      co_await join_anew();
      co_await settle_folder({});
      co_return;
    }
    target_folder_.watermark = settled.watermark;
    if (std::exchange(keys_void_, false)) former_.clear();
    orphans_.clear();
    record_.matched = record_.matched || settled.looked;
    if (!settled.flags.empty()) {
      r_.tally.flags_updated +=
          co_await follow_flags(r_.target, r_.ends.journal, record_.id, settled.flags);
    }
    result_.progressed = result_.progressed || settled.adopted + settled.recovered > 0;
    r_.tally.messages.twins += settled.twins;
    bytes_copied_ += settled.recovered_bytes;
    count();
  }

  Duration still() const {
    return std::max<Duration>(r_.options.settle_still,
                              4 * std::max(r_.slowest_batch, result_.slowest_batch));
  }

  Task<void> follow() {
    if (!flag_changes_.empty())
      r_.tally.flags_updated +=
          co_await follow_flags(r_.target, r_.ends.journal, record_.id, std::move(flag_changes_));
    if (gone_.empty() || void_rows_) co_return;
    r_.tally.deleted +=
        co_await mirror_deletions({r_.source, r_.target, r_.ends.journal, r_.ends.observer, record_,
                                   std::move(gone_), recorded_, r_.options.force_deletions});
  }

  /// Those that failed before come last: what has never been tried must not wait for them.
  std::vector<Catalogue::Entry> due_entries() const {
    std::size_t most = std::min(at_once_, kDueAtMost);
    if (!r_.target.traits().uidplus) most = std::min(most, kUnknownUidsAtMost);
    std::vector<Catalogue::Entry> out;
    for (std::size_t i = 0; i < standing_.size() && out.size() < most; ++i)
      if (standing_[i] == Standing::due && !failed_before_.contains(i))
        out.push_back(catalogue_[i]);
    for (const std::size_t i : failed_before_)
      if (standing_[i] == Standing::due && out.size() < most) out.push_back(catalogue_[i]);
    return out;
  }

  TargetTraits cautious_traits() const {
    TargetTraits traits = r_.target.traits();
    traits.batch_messages = std::min(traits.batch_messages, at_once_);
    return traits;
  }

  Task<void> give_up(Condemned message) {
    const auto index = catalogue_.find(message.key);
    if (!index || standing_[*index] != Standing::due) co_return;  // its copy has been found
    Record record;
    record.folder = record_.id;
    record.target_folder = target_folder_.id;
    record.failures.push_back({message.key, catalogue_.size_bytes(*index), message.words, r_.run});
    co_await r_.ends.journal.record(std::move(record));
    standing_[*index] = Standing::rejected;
    note(Level::warning, message.key.to_string() + " is passed by: " + message.words);
    count();
  }

  Task<void> transfer() {
    const std::vector<Catalogue::Entry> wanted = due_entries();
    TransferRequest request{
        r_.ends.journal,
        r_.ends.observer,
        catalogue_,
        standing_,
        record_,
        target_folder_.id,
        target_numbers_.uid_validity.value_or(0),
        Uid{target_numbers_.uid_next.value_or(0)},
        cautious_traits(),
        r_.run,
        r_.memory_bytes,
        r_.stop,
        [this](const Message& message) { return r_.options.wants(0, message.date); }};
    Transfer belt(std::move(request));
    std::exception_ptr source_failure, failure;
    try {
      co_await with_group([this, &belt, &wanted, &source_failure](TaskGroup& group) -> Task<void> {
        group.spawn(fetch(belt, wanted, source_failure));
        co_await r_.target.append(belt);
        if (r_.stop()) {
          result_.stopped = true;
          group.cancel();  // the source may be in the middle of a message
        }
      });
    } catch (const Error&) {
      failure = std::current_exception();
    }
    result_.progressed = result_.progressed || belt.progressed();
    result_.slowest_batch = std::max(result_.slowest_batch, belt.slowest_batch());
    bytes_copied_ += belt.bytes_copied();
    r_.tally.flags_dropped += r_.target.flags_dropped();
    count();
    if (source_failure || failure) note_under_way(wanted);
    if (source_failure) std::rethrow_exception(source_failure);
    if (failure) std::rethrow_exception(failure);
    // What was appended is seen, and the watermark rises. A stopped fetch has left the source
    // session dead: then the next run looks.
    if (belt.appended() > 0 && !result_.stopped) co_await settle_folder({});
  }

  /// What was fetched before the source failed still goes out.
  Task<void> fetch(Transfer& belt, std::vector<Catalogue::Entry> wanted,
                   std::exception_ptr& failure) {
    try {
      co_await r_.source.fetch(std::move(wanted), belt);
    } catch (const StopTransfer&) {
      result_.stopped = true;
    } catch (const Error&) {
      failure = std::current_exception();
    }
    belt.close();
  }

  void note_under_way(const std::vector<Catalogue::Entry>& wanted) {
    for (const Catalogue::Entry& entry : wanted) {
      const auto index = catalogue_.find(entry.key);
      if (!index || standing_[*index] != Standing::due) continue;
      if (result_.under_way.messages++ == 0) result_.under_way.first = entry.key;
    }
  }

  std::size_t due() const {
    return static_cast<std::size_t>(std::ranges::count(standing_, Standing::due));
  }

  void count() {
    Tally tally = r_.windows.messages();
    tally.twins = r_.tally.messages.twins;
    for (std::size_t i = 0; i < standing_.size(); ++i) {
      if (!r_.windows.first() && r_.windows.shown(catalogue_.key(i))) continue;
      ++tally.seen;
      switch (standing_[i]) {
        case Standing::due:
          ++tally.pending;
          break;
        case Standing::present:
          ++tally.present;
          break;
        case Standing::copied:
          ++tally.copied;
          break;
        case Standing::filtered:
          ++tally.filtered;
          break;
        case Standing::rejected:
          ++tally.rejected;
          break;
        case Standing::accepted:
          ++tally.rejected;
          ++tally.accepted;
          break;
        case Standing::vanished:
          ++tally.vanished;
          break;
      }
    }
    r_.tally.messages = tally;
    r_.tally.bytes_copied = bytes_copied_;
  }

  Task<void> finish() {
    count();
    const Tally& tally = r_.tally.messages;
    Record record;
    record.folder = record_.id;
    record.target_folder = target_folder_.id;
    record.uid_next_seen =
        std::max(target_folder_.watermark, Uid{target_numbers_.uid_next.value_or(0)});
    bool open = false;
    const std::int64_t now = unix_time((co_await current_scope()).executor());
    for (const OpenBatch& batch : co_await r_.ends.journal.open_batches(target_folder_.id)) {
      const bool ours = batch.settled && batch.folder == record_.id && batch.run != r_.run;
      const bool over = ours && tally.pending == 0 && now - batch.opened_at > kLateArrivals.count();
      if (over) record.close_batches.push_back(batch.id);
      open = open || !over;
    }
    co_await r_.ends.journal.record(std::move(record));
    const bool whole = tally.pending == 0 && tally.rejected == tally.accepted && !open;
    co_await r_.ends.journal.complete(record_.id, whole ? std::optional(begun_) : std::nullopt,
                                      r_.options.selection_hash(), tally.present + tally.copied);
  }

  /// A window moves on only past what was fetched from it: what has crossed, but in a session that
  /// was lost, is fetched once more, for nothing.
  Task<void> move_window() {
    if (!r_.source.windowed() || handled_ > 0) co_return;
    std::vector<Catalogue::Entry> stuck;
    for (std::size_t i = 0; i < standing_.size(); ++i) {
      const bool crossed = standing_[i] == Standing::present || standing_[i] == Standing::copied;
      if (crossed && !r_.windows.shown(catalogue_.key(i))) stuck.push_back(catalogue_[i]);
    }
    if (stuck.empty()) co_return;
    handled_ = stuck.size();
    co_await source_digests(r_.source, std::move(stuck), {});
  }

  Task<void> remove() {
    const std::chrono::seconds age = *r_.options.remove_after;
    const std::int64_t now = unix_time((co_await current_scope()).executor());
    const RemovalResult removal =
        co_await remove_what_crossed({r_.source, r_.target, r_.ends.journal, r_.ends.observer,
                                      catalogue_, standing_, record_, now - age.count()});
    r_.tally.removed += removal.removed;
    result_.source_over = removal.session_over;
  }

  void note(Level level, const std::string& text) const {
    r_.ends.observer.note(level, "folder " + r_.folder.source.name.to_string() + ": " + text);
  }

  FolderCrossingRequest r_;
  FolderCrossingResult& result_;
  std::size_t at_once_;  // most messages to ask for together
  FolderRecord record_;
  TargetFolderRecord target_folder_;
  FolderNumbers begun_, target_numbers_;
  Catalogue catalogue_;
  std::vector<Standing> standing_;
  std::vector<OpenBatch> batches_;
  std::vector<FlagChange> flag_changes_;
  std::vector<MessageRow> gone_;
  std::map<std::size_t, MessageRow> unplaced_;  // whose target UIDs became void
  std::vector<MessageRow> orphans_;             // the same of what is no longer at the source
  std::map<Uid, MessageRow> former_;
  std::set<std::size_t> failed_before_;  // in an earlier run
  std::uint64_t recorded_ = 0, bytes_copied_ = 0;
  std::size_t known_ = 0,
              handled_ = 0;  // messages that had crossed, that were due and no longer are
  bool void_rows_ = false;
  bool keys_void_ = false;  // and the journal has not been told
  bool source_moved_ = false;
};

}  // namespace

Task<void> cross_folder(FolderCrossingRequest request, FolderCrossingResult& result) {
  FolderCrosser crosser(request, result);
  co_await crosser.run();
}

bool nothing_to_do(const MappedFolder& folder, const FolderRecord& record,
                   const std::string& selection_hash, FolderTally& tally) {
  const FolderNumbers& now = folder.source.numbers;
  const FolderNumbers& target = folder.target_numbers;
  if (!folder.exists || !record.completed || record.options_hash != selection_hash) return false;
  if (folder.source.subscribed && !folder.target_subscribed) return false;
  const FolderNumbers& then = *record.completed;
  const bool same = now.uid_validity && now.uid_next && now.messages &&
                    now.uid_validity == then.uid_validity && now.uid_next == then.uid_next &&
                    now.messages == then.messages;
  // An empty folder has no flags to change. Else 0 and 1 are what servers say that track nothing.
  const bool tracked =
      now.highest_modseq.value_or(0) > 1 && now.highest_modseq == then.highest_modseq;
  const bool empty = now.messages == 0u;
  if (!same || !(tracked || empty) || !target.uid_validity || !target.uid_next) return false;
  if (record.target_uid_validity != target.uid_validity ||
      Uid{*target.uid_next} != record.target_uid_next_seen || record.batches_open)
    return false;
  tally.messages = {};
  tally.messages.seen = *now.messages;
  tally.messages.present = std::min(record.completed_present, *now.messages);
  tally.messages.filtered = tally.messages.seen - tally.messages.present;
  return true;
}

}  // namespace postferry
