#include "engine/crossing/folder_crossing.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "engine/both_ends.h"
#include "engine/crossing/deletions.h"
#include "engine/crossing/open_target.h"
#include "engine/crossing/repairing_source.h"
#include "engine/crossing/sending.h"
#include "engine/crossing/skip.h"
#include "engine/crossing/standings.h"
#include "engine/crossing/transfer.h"
#include "engine/fingerprint.h"
#include "engine/removal/after_copy.h"
#include "engine/removal/left_behind.h"
#include "engine/settle/body_digests.h"
#include "engine/settle/follow.h"
#include "engine/settle/former_rows.h"
#include "engine/settle/proved_copies.h"
#include "engine/settle/recognise.h"

namespace postferry {

namespace {

/// Recorded messages that are looked at again: that they are the same vouches for all UIDs.
constexpr std::size_t kWitnesses = 16;
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
      : r_(request),
        result_(result),
        at_once_(r_.at_once),
        s_(r_.ends.journal, r_.options, r_.windows, r_.run),
        memory_{SourceLikenesses(r_.source, s_.catalogue, r_.target)},
        as_sent_(r_.source, s_.repairs) {}

  Task<void> run() {
    const std::uint64_t known_size = r_.folder.source.numbers.messages.value_or(0);
    r_.tally.messages = r_.windows.messages();
    if (r_.windows.first()) r_.tally.messages.seen = r_.tally.messages.pending = known_size;
    bytes_copied_ = r_.windows.bytes_copied();
    begun_at_ = unix_time((co_await current_scope()).executor());
    record_ = co_await r_.ends.journal.folder(r_.account, r_.folder.source.name, r_.folder.target);
    const Permit turn = co_await r_.ends.turns->take(record_.target_folder);
    if (r_.deletions) r_.deletions->begin(record_);
    record_ = co_await r_.ends.journal.folder(r_.account, r_.folder.source.name, r_.folder.target);
    co_await at_both_ends(read_source(), open_target_folder());
    Permit second_turn;
    if (record_.target != r_.folder.target && !r_.options.dry_run) {  // it has another name now
      record_ =
          co_await r_.ends.journal.folder(r_.account, r_.folder.source.name, r_.folder.target);
      second_turn = co_await r_.ends.turns->take(record_.target_folder);
    }
    co_await note_validity();
    if (changed_) co_await join_changes();
    if (!s_.catalogue.by_uid()) {
      TargetSession* target = r_.options.dry_run ? nullptr : &r_.target;
      unproved_ = co_await recognise({r_.source, target, r_.ends.journal, r_.ends.observer,
                                      s_.catalogue, record_, leaves_if_copied_by()});
    }
    if (!changed_) co_await join_anew();
    co_await check_source_keys();
    if (r_.deletions) r_.deletions->seen(record_.id);
    if (r_.options.dry_run && places_lost_) s_.lose_places();
    co_await s_.join_failures(record_.id, r_.source.windowed(), !keys_void_);
    s_.filter();
    count();
    plan();
    if (r_.options.dry_run) co_return co_await foretell();
    co_await settle_folder(target_numbers_);
    s_.hold_back();
    if (r_.condemned) co_await give_up(*r_.condemned);
    if (r_.first_run && due() > 0 && target_numbers_.messages.value_or(0) > 0) {
      note(Level::info,
           "the target folder is not empty, and the journal has no earlier run: what users deleted "
           "there since another run comes back");
    }
    co_await send_all();
    if (r_.repairs && !result_.stopped && !r_.stop()) co_await repair();
    result_.stopped = result_.stopped || (due() > 0 && r_.stop());
    // Behind the mail, which must not wait for flags that the target refuses.
    if (!result_.stopped) co_await follow(std::move(s_.flag_changes));
    co_await finish();
    if (!result_.stopped) {
      co_await move_window();
      if (r_.options.remove_after && !flags_refused_) co_await remove();
    }
    if (!s_.catalogue.by_uid())
      result_.more_windows = r_.windows.take(
          s_.catalogue,
          {s_.catalogue.size(), s_.known, handled_, r_.source.windowed(), r_.source.shows_all()},
          r_.tally.messages, bytes_copied_);
    result_.more_windows = result_.more_windows || more_to_remove_;
    if (flags_refused_) throw *flags_refused_;
  }

 private:
  Task<void> read_source() {
    const std::optional<Since> since = co_await last_crossing();
    Opened opened = since ? co_await r_.source.open_with_changes(r_.folder.source.name, *since)
                          : co_await r_.source.open_with_catalogue(r_.folder.source.name);
    begun_ = opened.numbers;
    if (!opened.catalogue.remark.empty()) note(Level::warning, opened.catalogue.remark);
    // Where there is one, the server shows no more than a part.
    if (!opened.catalogue.remark.empty()) doubt(" is not shown whole");
    if (opened.changes_only) {
      changed_ = std::move(opened);
    } else {
      list(std::move(opened.catalogue));
    }
  }

  void list(Catalogue catalogue) {
    s_.list(std::move(catalogue), begun_);
    memory_.likenesses.clear();
    count();
  }

  /// From what the source need only tell the changes: every message that it had then has its row,
  /// and every row its copy.
  Task<std::optional<Since>> last_crossing() {
    const CrossingOptions& options = r_.options;
    const bool all = !options.since && !options.before && !options.max_size_bytes;
    if (!all || options.remove_after || options.only_failed || r_.condemned) co_return std::nullopt;
    if (!record_.completed || !under_same_options(record_, options.selection_hash()) ||
        !record_.matched || record_.batches_open)
      co_return std::nullopt;
    const FolderNumbers& then = *record_.completed;
    if (!then.uid_validity || then.uid_validity != record_.source_uid_validity || !then.uid_next ||
        !then.messages || then.highest_modseq.value_or(0) <= 1)
      co_return std::nullopt;
    // What was refused has no row, settled or not.
    const std::vector<FailureRow> failures = co_await r_.ends.journal.failures(record_.id);
    if (!failures.empty()) co_return std::nullopt;
    Since since{then, {}};
    for (const MessageRow& row : co_await r_.ends.journal.newest_rows(record_.id, kWitnesses))
      if (row.key.is_uid()) since.witnesses.push_back(row.key.uid());
    std::ranges::reverse(since.witnesses);
    // As many as were there and have come: then nothing vanished.
    const FolderNumbers& now = r_.folder.source.numbers;
    since.all_uids = options.mirror_deletions &&
                     !(now.messages && now.uid_next &&
                       *now.messages + *then.uid_next == *then.messages + *now.uid_next);
    co_return since;
  }

  /// Anything that is not as the journal has it takes a whole catalogue.
  Task<void> join_changes() {
    const bool known = record_.matched && !void_rows_;
    const bool sure = known && co_await s_.join_changes(record_, *std::move(changed_), r_.source);
    bytes_copied_ = r_.windows.bytes_copied() + s_.bytes_before;
    if (sure) {
      count();
    } else {
      co_await read_whole();
    }
  }

  Task<void> read_whole() {
    changed_.reset();
    list(co_await r_.source.catalogue());
  }

  Task<void> open_target_folder() {
    made_ = !r_.folder.exists;
    if (r_.options.dry_run) co_return read_target_from_listing();
    target_numbers_ = co_await open_target(
        {r_.target, r_.ends.observer, r_.folder, record_, r_.options.only_failed});
    r_.tally.target = r_.folder.target;
  }

  /// A dry run opens no target.
  void read_target_from_listing() {
    if (made_) return;
    target_numbers_ = r_.folder.target_numbers;
    if (!target_numbers_.uid_validity) target_numbers_.uid_validity = record_.target_uid_validity;
  }

  /// Keys and UIDs that no longer mean what they meant are void before anything is joined.
  Task<void> note_validity() {
    Record noted;
    noted.folder = record_.id;
    noted.target_folder = record_.target_folder;
    if (begun_.uid_validity && record_.source_uid_validity != begun_.uid_validity) {
      if (record_.source_uid_validity) {
        note(Level::warning, "the source's UIDVALIDITY changed; its messages are matched anew");
        co_await void_keys();
        doubt(" has another UIDVALIDITY than before");
      } else {
        noted.source_uid_validity = begun_.uid_validity;
      }
    }
    target_folder_ = co_await r_.ends.journal.target_folder(record_.target_folder);
    const std::uint32_t validity = target_numbers_.uid_validity.value_or(0);
    const bool replaced = target_folder_.uid_validity && *target_folder_.uid_validity != validity;
    bool went_back = false;
    if (target_numbers_.uid_next && !replaced) {
      const Uid least = co_await least_uid_next(r_.ends.journal, target_folder_);
      went_back = Uid{*target_numbers_.uid_next} < least;
    }
    if (replaced || went_back) {
      if (went_back && !r_.options.dry_run) co_await r_.ends.journal.doubt_target(r_.account);
      doubt(" was replaced on the target");
      const std::string is = r_.options.dry_run ? " would be " : " is ";
      const std::string are = r_.options.dry_run ? " would be " : " are ";
      note(Level::warning,
           made_      ? "it is gone from the target, and" + is + "made and filled again"
           : replaced ? "the target's UIDVALIDITY changed; its messages" + are + "matched anew"
                      : "the target's UIDNEXT went back; its messages" + are + "matched anew");
      co_await forget_places(validity);
    } else if (!target_folder_.uid_validity) {
      noted.target_uid_validity = validity;
    }
    if (r_.options.dry_run) co_return;
    if (noted.source_uid_validity || noted.target_uid_validity)
      co_await r_.ends.journal.record(std::move(noted));
    target_folder_ = co_await r_.ends.journal.target_folder(record_.target_folder);
  }

  /// For good, before anything is appended: should the journal lose its last part with the power,
  /// it must not have the UIDs of before that a replaced folder gives once more.
  Task<void> forget_places(std::uint32_t validity) {
    record_.matched = false;
    places_lost_ = true;
    former_.lose_places();
    if (r_.options.dry_run) co_return;
    co_await r_.ends.journal.reset_target_folder(target_folder_.id, validity);
    co_await r_.ends.journal.make_durable();
  }

  Task<void> void_keys() {
    keys_void_ = void_rows_ = true;
    record_.matched = false;
    co_await former_.read(r_.ends.journal, record_.id);
  }

  /// The journal was told that what it knew is void.
  Task<void> join_anew() {
    if (keys_void_) {
      s_.forget();
      s_.orphans = former_.nowhere;
    } else {
      co_await s_.join_rows(record_.id);
    }
    bytes_copied_ = r_.windows.bytes_copied() + s_.bytes_before;
  }

  /// A source server that was restored from a backup gives its UIDs to other messages.
  Task<void> check_source_keys() {
    if (void_rows_) co_return;
    if (s_.in_question && !s_.moved) s_.moved = co_await is_another(*s_.in_question);
    if (!s_.moved) co_return;
    doubt(" names other messages than before");
    note(Level::warning,
         "recorded UIDs name other messages at the source now; its messages are matched anew");
    co_await void_keys();
    // What happened here may have happened to any folder, whatever its numbers say.
    if (!r_.options.dry_run) co_await r_.ends.journal.doubt_target(r_.account);
    if (changed_) co_await read_whole();
    co_await join_anew();
  }

  /// By its bytes, as it was sent; of a copy that was there before us, by its header.
  Task<bool> is_another(const MessageRow& row) {
    if (row.sha256)
      co_return co_await source_differs(as_sent_, s_.catalogue[*s_.catalogue.find(row.key)],
                                        *row.sha256);
    const std::vector<HeaderEntry> headers = co_await r_.source.headers({row.key});
    co_return !headers.empty() && header_hash(headers.front().fields) != row.header;
  }

  void plan() const {
    std::uint64_t messages = 0, bytes = 0;
    for (std::size_t i = 0; i < s_.standing.size(); ++i) {
      if (s_.standing[i] != Standing::due) continue;
      ++messages;
      bytes += s_.catalogue.size_bytes(i);
    }
    r_.ends.observer.folder_planned(r_.folder.source.name, r_.tally.messages.seen, messages, bytes);
  }

  Task<void> settle_folder(FolderNumbers numbers) {
    batches_ = co_await r_.ends.journal.open_batches(target_folder_.id);
    SettleRequest request{as_sent_,         r_.target,    r_.ends.journal,
                          r_.ends.observer, s_.catalogue, s_.standing,
                          s_.unplaced,      s_.orphans,   former_.by_copy,
                          memory_,          record_,      target_folder_,
                          numbers,          batches_,     r_.run,
                          still(),          keys_void_,   begun_.uid_validity};
    request.repairs = &s_.repairs;
    const SettleResult settled = co_await settle(std::move(request));
    if (settled.moved) {
      anew_ = true;
      doubt(" was replaced on the target");
      note(Level::warning,
           "recorded UIDs name other messages on the target now; its messages are matched anew");
      co_await r_.ends.journal.doubt_target(r_.account);
      co_await forget_places(target_numbers_.uid_validity.value_or(0));
      memory_.twins_told.clear();
      target_folder_ = co_await r_.ends.journal.target_folder(record_.target_folder);
      if (changed_) co_await read_whole();
      co_await join_anew();
      co_await s_.join_failures(record_.id, r_.source.windowed(), !keys_void_);
      s_.filter();
      co_await settle_folder({});
      co_return;
    }
    target_folder_.watermark = settled.watermark;
    if (std::exchange(keys_void_, false)) former_.clear();
    s_.orphans.clear();
    record_.matched = record_.matched || settled.looked;
    co_await follow(settled.flags);
    result_.progressed = result_.progressed || settled.adopted + settled.recovered > 0;
    r_.tally.messages.twins += settled.twins;
    bytes_copied_ += settled.recovered_bytes;
    count();
  }

  Task<void> follow(std::vector<FlagChange> changes) {
    if (changes.empty()) co_return;
    const std::uint64_t dropped = r_.target.flags_dropped();
    const Followed followed =
        co_await follow_flags(r_.target, r_.ends.journal, record_.id, std::move(changes));
    r_.tally.flags_updated += followed.touched;
    r_.tally.flags_dropped += followed.dropped + r_.target.flags_dropped() - dropped;
    if (followed.refused) flags_refused_ = followed.refused;
  }

  Duration still() const {
    return std::max<Duration>(r_.options.settle_still,
                              4 * std::max(r_.slowest_batch, result_.slowest_batch));
  }

  /// What one folder shows may not be all: nothing is deleted on the target in this run.
  void doubt(const std::string& why) const {
    if (r_.deletions) r_.deletions->doubt("folder " + r_.folder.source.name.to_string() + why);
  }

  /// What is gone from the source, to be mirrored at the end of the run. False: nothing is.
  bool tell_missing(bool whole) {
    if (!r_.deletions) return false;
    if (result_.stopped || std::ranges::none_of(s_.gone, may_be_mirrored)) return false;
    // Names that no UIDVALIDITY vouches for may be anybody's.
    const std::uint32_t there = target_numbers_.uid_validity.value_or(0);
    if (begun_.uid_validity.value_or(0) == 0 || there == 0) {
      doubt(" has no UIDVALIDITY at one of its ends");
      return false;
    }
    const Tally& tally = r_.tally.messages;
    const auto mirrored = std::ranges::count_if(s_.gone, may_be_mirrored);
    Missing missing{record_,
                    begun_,
                    there,
                    {},
                    static_cast<std::uint64_t>(mirrored),
                    tally.seen,
                    whole,
                    tally.present + tally.copied,
                    emptied_often()};
    for (const MessageRow& row : s_.gone) missing.keys.push_back(row.key);
    r_.deletions->add(std::move(missing));
    return true;
  }

  bool emptied_often() const {
    const Role role = r_.folder.source.role;
    return role == Role::trash || role == Role::junk;
  }

  std::vector<Catalogue::Entry> due_entries() const {
    std::size_t most = std::min(at_once_, kDueAtMost);
    if (!r_.target.traits().uidplus) most = std::min(most, kUnknownUidsAtMost);
    return s_.due_entries(most);
  }

  Task<void> give_up(Condemned message) {
    const auto index = s_.catalogue.find(message.key);
    if (!index || s_.standing[*index] != Standing::due) co_return;  // its copy has been found
    Record record;
    record.folder = record_.id;
    record.target_folder = target_folder_.id;
    record.failures.push_back(
        {message.key, s_.catalogue.size_bytes(*index), message.words, r_.run});
    co_await r_.ends.journal.record(std::move(record));
    s_.standing[*index] = Standing::rejected;
    note(Level::warning, message.key.to_string() + " is passed by: " + message.words);
    count();
  }

  Task<void> send_all() {
    while (due() > 0 && !r_.stop()) {
      const std::size_t before = due();
      anew_ = false;
      const std::size_t plain = s_.plain.size();
      co_await send_due();
      const std::size_t left = due() - (s_.plain.size() - plain);
      handled_ += before - std::min(before, left);
      if (result_.stopped) break;
      // What was matched anew may be more than before: once, that is news and no lack of progress.
      if (left >= before && (!anew_ || std::exchange(gone_on_, true))) break;
      if (at_once_ < s_.standing.size()) at_once_ *= 2;  // it went well
    }
  }

  Task<void> send_due() {
    std::vector<Catalogue::Entry> wanted = due_entries();
    if (std::exchange(r_.last_first, false)) wanted = s_.last_due();
    const Uid uid_next{target_numbers_.uid_next.value_or(0)};
    const Sent sent = co_await send(
        {r_, s_, as_sent_, record_, target_folder_.id, target_numbers_.uid_validity.value_or(0),
         std::max(target_folder_.watermark, uid_next), at_once_, wanted});
    result_.stopped = result_.stopped || sent.stopped;
    result_.progressed = result_.progressed || sent.progressed;
    result_.slowest_batch = std::max(result_.slowest_batch, sent.slowest_batch);
    r_.tally.flags_dropped += sent.flags_dropped;
    bytes_copied_ += sent.bytes_copied;
    count();
    if (sent.failure) {
      note_under_way(wanted);
      std::rethrow_exception(sent.failure);
    }
    // What was appended is seen, and the watermark rises. A stopped fetch has left the source
    // session dead: then the next run looks.
    if (sent.appended == 0) co_return;
    unseen_ = result_.stopped;
    if (unseen_) co_return;
    co_await settle_folder({});
    co_await note_headers(r_.target, r_.ends.journal, record_, wanted);
    const bool folds = r_.target.traits().folds_duplicates;
    for (const MessageKey& key : sent.unnamed)
      co_await give_up({key, std::string(folds ? kFoldedUnseen : kNotFoundAgain)});
    co_await hold_unseen(sent.named);
  }

  /// A target that folds may answer with the UID of a copy that is elsewhere, as in the trash.
  Task<void> hold_unseen(const std::vector<std::pair<MessageKey, Uid>>& named) {
    if (named.empty()) co_return;
    std::vector<Uid> uids;
    for (const auto& [key, uid] : named) uids.push_back(uid);
    co_await r_.target.uid_next();  // what has been stored shows after it
    const std::vector<TargetEntry> there = co_await r_.target.look_at(std::move(uids));
    std::vector<MessageKey> unseen;
    for (const auto& [key, uid] : named)
      if (!std::ranges::binary_search(there, uid, {}, &TargetEntry::uid)) unseen.push_back(key);
    if (unseen.empty()) co_return;
    Record record;
    record.folder = record_.id;
    record.target_folder = target_folder_.id;
    record.forget = unseen;
    co_await r_.ends.journal.record(std::move(record));
    for (const MessageKey& key : unseen) {
      if (const auto index = s_.catalogue.find(key)) s_.standing[*index] = Standing::due;
      co_await give_up({key, std::string(kFoldedElsewhere)});
    }
  }

  /// What is due here has gone, so that others may go first.
  Task<void> repair() {
    const Permit turn = co_await r_.repairs->acquire_permit();
    RepairRequest request{r_.source,
                          r_.ends.journal,
                          r_.ends.observer,
                          *r_.ends.originals,
                          s_.catalogue,
                          s_.standing,
                          s_.repairs,
                          record_,
                          target_folder_.id,
                          r_.run,
                          largest_repaired(r_.options.memory_bytes),
                          r_.target.traits().append_limit_bytes};
    co_await repair_refused(std::move(request), [this] { return send_all(); });
  }

  void note_under_way(const std::vector<Catalogue::Entry>& wanted) {
    for (const Catalogue::Entry& entry : wanted) {
      const auto index = s_.catalogue.find(entry.key);
      if (!index || s_.standing[*index] != Standing::due) continue;
      if (result_.under_way.messages++ == 0) result_.under_way.first = entry.key;
    }
  }

  std::size_t due() const { return s_.due(); }

  void count() {
    r_.tally.messages = s_.tally(r_.tally.messages.twins);
    r_.tally.bytes_copied = bytes_copied_;
  }

  Task<void> finish() {
    count();
    r_.windows.lost_dates.tell(r_.ends.observer, r_.folder.source.name);
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
    // UIDNEXT behind what was appended must have been seen: a target that is put back to what it
    // was before would look like the one that was left.
    bool whole = tally.pending == 0 && tally.rejected == tally.accepted && !open && !unseen_ &&
                 !flags_refused_;
    record_.options_hash = noted_under(r_.options.selection_hash(), lacks_subscription(r_.folder));
    co_await s_.place_gone(record_.id);
    if (tell_missing(whole)) whole = false;  // until that has been mirrored
    co_await r_.ends.journal.complete(record_.id, whole ? std::optional(begun_) : std::nullopt,
                                      record_.options_hash, tally.present + tally.copied);
  }

  /// A window moves on only past what was fetched from it: what has crossed, but in a session that
  /// was lost, is fetched once more, for nothing.
  Task<void> move_window() {
    if (!r_.source.windowed() || handled_ > 0) co_return;
    std::vector<Catalogue::Entry> stuck;
    for (std::size_t i = 0; i < s_.standing.size(); ++i) {
      const Standing standing = s_.standing[i];
      const bool left_out = standing == Standing::filtered &&
                            r_.options.wants(s_.catalogue.size_bytes(i), std::nullopt);
      const bool crossed =
          standing == Standing::present || standing == Standing::copied || left_out;
      if (crossed && !r_.windows.shown(s_.catalogue.key(i))) stuck.push_back(s_.catalogue[i]);
    }
    if (stuck.empty()) co_return;
    handled_ = stuck.size();
    co_await source_digests(r_.source, std::move(stuck), {});
  }

  /// What a run would do beside copying, as far as that can be told without a look at the target.
  Task<void> foretell() {
    r_.tally.flags_updated = s_.flag_changes.size();
    tell_missing(false);
    if (!r_.options.remove_after) co_return;
    const std::chrono::seconds age = *r_.options.remove_after;
    const bool one_validity =
        begun_.uid_validity && begun_.uid_validity == target_numbers_.uid_validity;
    r_.tally.removed =
        co_await count_removable({r_.ends.journal, s_.catalogue, s_.standing, record_.id,
                                  begun_at_ - age.count(), unproved_, one_validity});
    if (age.count() == 0) r_.tally.removed += due();  // as soon as it has crossed
  }

  /// Of what had crossed when this attempt began.
  std::optional<std::int64_t> leaves_if_copied_by() const {
    if (!r_.options.remove_after || r_.options.dry_run) return std::nullopt;
    const std::chrono::seconds age = *r_.options.remove_after;
    return begun_at_ - age.count();
  }

  Task<void> remove() {
    // What became due since then has not been looked at, unless it has only just been fetched.
    const bool at_once = r_.options.remove_after->count() == 0;
    const std::int64_t until =
        at_once ? unix_time((co_await current_scope()).executor()) : leaves_if_copied_by().value();
    const bool one_validity =
        begun_.uid_validity && begun_.uid_validity == target_numbers_.uid_validity;
    const RemovalResult removal = co_await remove_what_crossed(
        {r_.source, r_.target, r_.ends.journal, r_.ends.observer, s_.catalogue, s_.standing,
         record_, r_.run, until, r_.stop, unproved_, one_validity, r_.windows.two_mailboxes});
    r_.windows.two_mailboxes = r_.windows.two_mailboxes || removal.two_mailboxes;
    more_to_remove_ = removal.more;
    r_.tally.removed += removal.removed;
    r_.tally.left_at_source = co_await count_left_behind(r_.ends.journal, record_.id);
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
  Standings s_;
  SettleMemory memory_;
  RepairingSession as_sent_;       // the source's messages as they are, or were, sent
  std::optional<Opened> changed_;  // where the source told no more than that
  std::vector<OpenBatch> batches_;
  FormerRows former_;
  std::uint64_t bytes_copied_ = 0;
  std::int64_t begun_at_ = 0;  // seconds since 1970 UTC
  std::set<MessageKey> unproved_;
  std::optional<Error> flags_refused_;
  std::size_t handled_ = 0;  // messages that were due and no longer are
  bool void_rows_ = false;
  bool keys_void_ = false;       // and the journal has not been told
  bool made_ = false;            // the target folder, which was not there
  bool places_lost_ = false;     // of the copies: the target was replaced
  bool anew_ = false;            // the target's messages were matched anew
  bool unseen_ = false;          // what was appended last has not been looked at
  bool more_to_remove_ = false;  // in the next session
  bool gone_on_ = false;         // after that, though more was due than before
};

}  // namespace

Task<void> cross_folder(FolderCrossingRequest request, FolderCrossingResult& result) {
  FolderCrosser crosser(request, result);
  co_await crosser.run();
}

}  // namespace postferry
