#include "engine/settle/settle.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/async/timeout.h"
#include "engine/counted.h"
#include "engine/settle/body_digests.h"
#include "engine/settle/known_looks.h"
#include "engine/settle/match.h"
#include "engine/settle/members.h"
#include "engine/settle/orphans.h"
#include "engine/settle/stranger_look.h"
#include "engine/settle/stranger_match.h"
#include "engine/settle/strangers.h"
#include "engine/settle/twins.h"
#include "engine/settle/witnesses.h"

namespace postferry {

namespace {

constexpr std::size_t kHeadersAtOnce = 500;
constexpr std::size_t kWitnesses = 5;
constexpr std::size_t kUidsTold = 20;
constexpr std::size_t kRowsAtOnce = 2000;
constexpr std::chrono::milliseconds kPoll{200};

/// So that bytes and sizes on it prove nothing.
bool alters_mail(const TargetTraits& traits) {
  return traits.regenerates || traits.adds_received || traits.rewrites_message_id;
}

bool is_marked(const Flags& flags) { return (flags.system & Flags::deleted) != 0; }

/// Batches of this folder hold nobody that is known, where its names are void.
SettleRequest without_void_names(SettleRequest request) {
  if (request.void_keys)
    for (OpenBatch& batch : request.batches)
      if (batch.folder == request.folder.id) batch.keys.clear();
  return request;
}

class Settler {
 public:
  explicit Settler(SettleRequest request)
      : r_(without_void_names(std::move(request))),
        members_(r_.catalogue, r_.standing, r_.folder.id, r_.batches),
        orphans_(r_.orphans, r_.target.traits()),
        strangers_(alters_mail(r_.target.traits())) {}

  Task<SettleResult> run() {
    result_.watermark = r_.target_folder.watermark;
    now_ = unix_time((co_await current_scope()).executor());
    // Other folders may have filled the target folder, and their settling does not speak for ours.
    if (r_.folder.matched) from_ = r_.target_folder.watermark;
    const bool nothing_new =
        r_.target_numbers.uid_next && Uid{*r_.target_numbers.uid_next} <= from_;
    witnesses_ = co_await r_.journal.last_rows(r_.target_folder.id, kWitnesses);
    if (nothing_new && r_.batches.empty() && witnesses_.empty() && r_.unplaced.empty() &&
        !r_.void_keys)
      co_return result_;
    co_await look_for_members();
    if (result_.moved) co_return result_;
    result_.looked = true;
    co_await wait_for_open_batches();
    // Twins first: a late copy of ours must not pass for another message with the same bytes.
    co_await find_twins(members_.left_its_name() ? all_due() : unplaced_due());
    KnownLooks known;
    // Where names are void all rows are those of what is due.
    if (!r_.void_keys && !alters_mail(r_.target.traits()))
      known = known_looks(r_.journal, r_.folder.id, r_.catalogue, r_.memory.likenesses);
    co_await match(everything_due(), std::move(known));
    co_await report_equals();
    co_await record();
    co_return result_;
  }

 private:
  /// Copies of what the source has no longer, or under names that nobody knows yet.
  Task<void> place_orphans() {
    const std::map<Uid, std::uint64_t> sizes = co_await sizes_of_equals();
    for (MessageRow& row :
         co_await orphans_.find_by_bytes(r_.target, strangers_, headers_, sizes)) {
      if (r_.void_keys) {
        remember(std::move(row));
        continue;
      }
      strangers_.take(*strangers_.find(row.target_uid));
      rows_.push_back(std::move(row));
    }
    place_by_look(unplaced_looks());
  }

  /// Strangers that look like a message which is due, and has another size than the target tells,
  /// by that size: an orphan may equal it byte for byte.
  Task<std::map<Uid, std::uint64_t>> sizes_of_equals() {
    std::map<Uid, std::uint64_t> sizes;
    std::vector<std::uint32_t> equals;
    if (!orphans_.none() && !strangers_.empty())
      for (std::size_t i = 0; i < r_.standing.size(); ++i)
        if (wanted(i) && orphans_.any_sized(r_.catalogue.size_bytes(i)))
          equals.push_back(static_cast<std::uint32_t>(i));
    if (equals.empty()) co_return sizes;
    co_await r_.memory.likenesses.each(std::move(equals), [&](const Likeness& due) {
      const std::uint64_t size = r_.catalogue.size_bytes(due.index);
      for (const std::size_t at : strangers_.alike(due.print))
        if (strangers_.size_bytes(at) != size) sizes.emplace(strangers_.uid(at), size);
      return true;
    });
    co_return sizes;
  }

  /// Those whose bytes nobody noted, as what was there before us: no other message's, at least.
  void place_by_look(const std::set<Uid>& wanted) {
    for (MessageRow& row : orphans_.find_by_look(strangers_, headers_, wanted)) {
      if (r_.void_keys) {
        remember(std::move(row));
        continue;
      }
      const std::size_t place = *strangers_.find(row.target_uid);
      strangers_.speak_for(place, true);
      // Where names do not last, its message may be there under another.
      if (r_.catalogue.has_made_up_keys() && row.state < MessageState::leaving) {
        strangers_.bytes_tell(place);
        renamed_.emplace(row.target_uid, row);
      }
      // A name that is made of the header would make a look-alike that comes later the one that
      // left.
      if (!row.key.is_made_up()) claims_.emplace(row.target_uid, std::move(row));
    }
  }

  /// Strangers that look like the copies of messages which are still there: those come first.
  std::set<Uid> unplaced_looks() const {
    std::map<std::uint64_t, std::vector<const MessageRow*>> by_header;
    std::set<Uid> looks;
    if (orphans_.none()) return looks;
    for (const auto& [index, row] : r_.unplaced)
      if (row.header && r_.standing[index] == Standing::due) by_header[*row.header].push_back(&row);
    for (const auto& [uid, header] : headers_) {
      const auto place = strangers_.find(uid);
      const auto group = by_header.find(header);
      if (place && group != by_header.end() &&
          std::ranges::any_of(group->second, [&](const MessageRow* row) {
            return is_copy_of(*row, strangers_.entry(*place));
          }))
        looks.insert(uid);
    }
    return looks;
  }

  /// Whose copy this is, though its name is void and its message may be gone.
  void remember(MessageRow row) {
    const Uid uid = row.target_uid;
    r_.former.emplace(uid, std::move(row));
    strangers_.speak_for(*strangers_.find(uid), was_removed(uid));
  }

  bool wanted(std::size_t i) const { return is_wanted(r_.standing[i]); }

  Indices everything_due() const {
    return [this, i = std::size_t{0}]() mutable {
      std::vector<std::uint32_t> part;
      for (; i < r_.standing.size() && part.size() < kHeadersAtOnce; ++i)
        if (wanted(i)) part.push_back(static_cast<std::uint32_t>(i));
      return part;
    };
  }

  std::vector<std::uint32_t> all_due() const {
    std::vector<std::uint32_t> out;
    for (std::size_t i = 0; i < r_.standing.size(); ++i)
      if (wanted(i)) out.push_back(static_cast<std::uint32_t>(i));
    return out;
  }

  Indices these(std::vector<std::uint32_t> indices) const {
    std::erase_if(indices, [this](std::size_t i) { return !wanted(i); });
    return [indices = std::move(indices)]() mutable { return std::exchange(indices, {}); };
  }

  /// Known to be on the target, under another UID now.
  std::vector<std::uint32_t> unplaced_due() const {
    std::vector<std::uint32_t> out;
    for (const auto& [index, row] : r_.unplaced) out.push_back(static_cast<std::uint32_t>(index));
    return out;
  }

  /// Where twins may be: not below any batch that is kept for late arrivals.
  Uid look_from() const {
    Uid from = from_;
    for (const OpenBatch& batch : r_.batches)
      if (batch.settled && batch.uid_next) from = std::min(from, batch.uid_next);
    return from;
  }

  /// Reads what is new on the target; strangers get their headers read, once.
  Task<void> look() {
    std::vector<Uid> named = co_await r_.journal.named(r_.target_folder.id, look_from());
    std::erase_if(named, [this](Uid uid) { return r_.void_keys && r_.former.contains(uid); });
    // Where rows name every UID nothing else is, and nothing else will come: that need not be seen.
    Uid from = look_from();
    for (const Uid uid : named) {
      if (uid != from) break;
      ++from.value;
    }
    result_.watermark = std::max(result_.watermark, from);
    Uid lowest = from;
    for (const MessageRow& row : witnesses_) lowest = std::min(lowest, row.target_uid);
    Catalogue fresh = co_await look_for_strangers(lowest, from, std::move(named));
    if (result_.moved) co_return;
    std::vector<Uid> unknown;
    unknown.reserve(fresh.size());
    for (std::size_t i = 0; i < fresh.size(); ++i) unknown.push_back(fresh.uid(i));
    strangers_.add(std::move(fresh));
    co_await read_likenesses(r_.target, strangers_, std::move(unknown),
                             orphans_.none() ? nullptr : &headers_);
    for (const auto& [uid, row] : r_.former)
      if (const auto place = strangers_.find(uid)) strangers_.speak_for(*place, was_removed(uid));
    if (!r_.folder.matched && !strangers_.empty())
      co_await speak_for_others(r_.journal, r_.folder, strangers_, r_.unplaced, r_.orphans);
  }

  /// What is there from this UID on, named by no row, and was not there before.
  Task<Catalogue> look_for_strangers(Uid lowest, Uid from, std::vector<Uid> named) {
    const Catalogue entries = co_await r_.target.catalogue(lowest);
    result_.moved = co_await any_is_another(r_.target, witnesses_, entries);
    witnesses_.clear();
    Catalogue fresh;
    if (result_.moved) co_return fresh;
    const std::size_t first = entries.from(from);
    if (first < entries.size())
      result_.watermark =
          std::max(result_.watermark, Uid{entries.uid(entries.size() - 1).value + 1});
    if (named.empty()) fresh.reserve(entries.size() - first);
    for (std::size_t i = first; i < entries.size(); ++i) {
      const Uid uid = entries.uid(i);
      if (std::ranges::binary_search(named, uid) || strangers_.place(uid)) continue;
      const Catalogue::Entry entry = entries[i];
      fresh.add(entry.key, entry.size_bytes, entry.date, *entry.flags);
    }
    co_return fresh;
  }

  /// The copy of what we removed from the source, for all we know, before its names became void: it
  /// stands for no other message with the same bytes, but for that one, should it still be there or
  /// a backup bring it back.
  bool was_removed(Uid uid) const {
    const auto old = r_.former.find(uid);
    if (old == r_.former.end()) return false;
    const MessageRow& row = old->second;
    // What was asked for may not have been done: it is known by its date, if it was sent with it.
    return row.state == MessageState::removed ||
           (row.state == MessageState::leaving && row.origin == Origin::appended);
  }

  /// Such a row is kept, under a name that no server gives: so it is hereafter, too. While late
  /// copies may still come, all are, so that those are known for what they are.
  Task<void> keep_what_has_gone() {
    const bool late = std::ranges::any_of(
        r_.batches, [this](const OpenBatch& batch) { return batch.folder == r_.folder.id; });
    std::vector<Uid> kept;
    for (const auto& [uid, row] : r_.former)
      if ((was_removed(uid) || late) && strangers_.find(uid)) kept.push_back(uid);
    if (kept.empty()) co_return;
    // A copy that its user has removed meanwhile would claim the one which its message gets anew.
    for (const TargetEntry& entry : co_await r_.target.look_at(std::move(kept))) {
      const Uid uid = entry.uid;
      const bool removed = was_removed(uid);
      MessageRow& row = r_.former.at(uid);
      if (row.key.is_uid())
        row.key = MessageKey((removed ? "removed-" : "gone-") +
                             std::to_string(r_.target_folder.uid_validity.value_or(0)) + "-" +
                             std::to_string(uid.value));
      row.target_uid = uid;
      if (removed) row.state = MessageState::removed;
      rows_.push_back(std::move(row));
    }
  }

  /// A late copy of what has crossed already is told from a member by its date, where they differ.
  Task<void> look_for_members() {
    co_await look();
    if (result_.moved) co_return;
    co_await place_orphans();
    // What is known to be there has the first claim to a copy with its bytes and its date.
    std::vector<std::uint32_t> first = unplaced_due();
    for (const std::uint32_t member : members_.awaited())
      if (!r_.unplaced.contains(member)) first.push_back(member);
    co_await find_twins(members_.left_its_name() ? all_due() : first);
    co_await match(these(std::move(first)), {}, /*more_may_come=*/true);
    place_by_look({});
  }

  Comparison comparison() const {
    return {
        .forgiving = true, .munged_header = r_.target.traits().munges_8bit, .without_tuid = true};
  }

  Task<void> match(Indices indices, KnownLooks known_looks = {}, bool more_may_come = false) {
    if (strangers_.empty()) co_return;
    const auto take = [this](std::size_t index, std::size_t place) { return pair(index, place); };
    co_await match_strangers({r_.source, r_.target, r_.catalogue, r_.memory.likenesses, strangers_,
                              comparison(), std::move(known_looks), more_may_come},
                             std::move(indices), take);
  }

  /// Of the flags that a message was sent with those that its copy has: the line may have been cut
  /// before the others were set.
  static Flags arrived(const Flags& sent, const Flags& there) {
    return sent.minus(sent.minus(there));
  }

  /// A member of an open batch is ours; a row that lost its UID keeps its history.
  MessageRow row_of(std::size_t index, const TargetEntry& target) {
    if (const auto old = r_.unplaced.find(index); old != r_.unplaced.end()) {
      MessageRow row = old->second;
      row.state = seen_again(row.state);
      return row;
    }
    const Catalogue::Entry source = r_.catalogue[index];
    if (const auto old = r_.former.find(target.uid); old != r_.former.end()) {
      MessageRow row = old->second;
      row.key = source.key;
      row.listed_bytes = source.size_bytes;
      if (row.state == MessageState::removed) row.state = MessageState::copied;  // it is back
      return row;
    }
    if (const auto old = renamed_.find(target.uid); old != renamed_.end()) {
      MessageRow row = old->second;
      outdated_.emplace_back(std::exchange(row.key, source.key), source.key);
      row.listed_bytes = source.size_bytes;
      return row;
    }
    const auto ours = members_.sent(index, target.uid, target.flags);
    MessageRow row;
    row.key = source.key;
    row.size_bytes = target.size_bytes;
    row.repairs = repairs_of(row.key);
    const bool bare = row.repairs.has(RepairStep::flags);  // sent without, and so it stays
    row.flags = ours && !bare ? arrived(ours->flags, target.flags) : *source.flags;
    if (is_marked(target.flags) && !is_marked(*source.flags)) marked_.push_back(target.uid);
    row.run = ours ? ours->run : r_.run;
    row.origin = ours ? Origin::appended : Origin::adopted;
    row.copied_at = now_;
    row.listed_bytes = source.size_bytes;
    row.header = r_.memory.likenesses.header(index);
    return row;
  }

  /// The copy that was seen is there no more: this one has to be.
  static MessageState seen_again(MessageState state) {
    return state == MessageState::seen ? MessageState::copied : state;
  }

  Repairs repairs_of(const MessageKey& key) const {
    if (!r_.repairs) return {};
    const auto at = r_.repairs->find(key);
    return at == r_.repairs->end() ? Repairs{} : at->second;
  }

  Task<void> pair(std::size_t index, std::size_t place) {
    const TargetEntry target = strangers_.entry(place);
    const Uid uid = target.uid;
    MessageRow row = row_of(index, target);
    const bool ours = row.origin == Origin::appended;
    const RunId run = row.run;
    row.target_uid = uid;
    row.date = target.date;
    if (r_.catalogue.by_uid()) {
      // What was known of it, or how it was sent, is the base of what has changed since.
      const Flags now = flags_to_follow(row, *r_.catalogue[index].flags);
      if (!(row.flags == now)) result_.flags.push_back({row.key, uid, row.flags, now});
    }
    rows_.push_back(std::move(row));
    r_.standing[index] = ours && run == r_.run ? Standing::copied : Standing::present;
    ++(ours ? result_.recovered : result_.adopted);
    if (r_.standing[index] == Standing::copied) result_.recovered_bytes += target.size_bytes;
    strangers_.take(place);
    // Where all that was known is void it is told as a whole, at the end.
    if (rows_.size() >= kRowsAtOnce && !r_.void_keys) co_await record_rows();
  }

  /// What there is so far, each whole: a row is no longer there under its old name, and its copy is
  /// not marked.
  Task<void> record_rows() {
    if (!marked_.empty()) co_await unmark(std::exchange(marked_, {}));
    Record record;
    record.folder = r_.folder.id;
    record.target_folder = r_.target_folder.id;
    record.run = r_.run;
    record.rows = std::exchange(rows_, {});
    for (const auto& [before, now] : outdated_) record.forget.push_back(before);
    record.renamed = std::exchange(outdated_, {});
    co_await r_.journal.record(std::move(record));
  }

  /// A server goes on after the line is cut: wait until every member has appeared or UIDNEXT has
  /// stood still long enough.
  Task<void> wait_for_open_batches() {
    if (!members_.missing()) co_return;
    r_.observer.note(
        Level::info,
        "folder " + r_.folder.source.to_string() +
            ": waiting for what the target may still be storing from a lost connection");
    Executor& executor = (co_await current_scope()).executor();
    Uid last = co_await r_.target.uid_next();
    TimePoint since = executor.now();
    while (members_.missing() && executor.now() - since < r_.still) {
      co_await sleep_for(kPoll);
      const Uid now = co_await r_.target.uid_next();
      if (now == last) continue;
      last = now;
      since = executor.now();
      co_await look_for_members();
    }
    if (!members_.missing()) co_return;
    co_await look_for_members();  // UIDNEXT of a server that does not say it proves nothing
  }

  /// Of these entries what a stranger may be, by its header.
  Task<std::map<Fingerprint, std::vector<Likeness>>> by_print(std::vector<std::uint32_t> indices) {
    std::map<Fingerprint, std::vector<Likeness>> out;
    co_await r_.memory.likenesses.each(std::move(indices), [&](const Likeness& member) {
      if (!strangers_.alike(member.print).empty()) out[member.print].push_back(member);
      return true;
    });
    co_return out;
  }

  /// Late arrivals: equal byte for byte, in flags and in date, to a copy that was made after their
  /// batch had been given up. Only those are ours to remove, and not what may be one of `awaited`.
  Task<void> find_twins(std::vector<std::uint32_t> awaited) {
    if (strangers_.empty() || r_.batches.empty()) co_return;
    std::erase_if(awaited, [&](std::size_t i) { return !wanted(i); });
    const auto wanted = co_await by_print(std::move(awaited));
    const auto may_be_wanted = [&](std::size_t place, const TargetEntry& entry) {
      const auto group = wanted.find(strangers_.print(place));
      return group != wanted.end() &&
             std::ranges::any_of(group->second, [&](const Likeness& member) {
               return !member.date || !entry.date || member.date->seconds == entry.date->seconds;
             });
    };
    const auto may_be_known = [this](std::size_t place, const TargetEntry& entry) {
      return strangers_.spoken_for(place) || orphans_.may_have_copy(entry, header_of(entry.uid));
    };
    const auto passed_over = [&](std::size_t place, const TargetEntry& entry) {
      return may_be_wanted(place, entry) || may_be_known(place, entry);
    };
    std::vector<Suspect> list = co_await suspects(
        {r_.target, r_.journal, r_.folder.id, r_.batches, strangers_, copies_}, rows_, passed_over);
    const bool dated = r_.catalogue.by_uid();
    std::vector<Uid> twins = co_await late_copies(r_.target, std::move(list), dated);
    for (const Uid uid : twins) strangers_.take(*strangers_.find(uid));
    const bool removed = r_.target.traits().uidplus;
    if (!removed) leave_out_what_was_told(twins);
    if (twins.empty()) co_return;
    result_.twins += twins.size();
    note(counted(twins.size(), "message", "messages") +
         " arrived twice from a connection that had been lost; " +
         (removed ? "the later copies were removed"
                  : "the server has no UIDPLUS, so they stay" + listed(twins)));
    if (removed) co_await r_.target.expunge(std::move(twins));
  }

  std::optional<std::uint64_t> header_of(Uid uid) const {
    const auto at = headers_.find(uid);
    return at == headers_.end() ? std::nullopt : std::optional(at->second);
  }

  /// What stays is met by every settle while the watermark is below it.
  void leave_out_what_was_told(std::vector<Uid>& twins) {
    std::erase_if(twins, [this](Uid uid) { return !r_.memory.twins_told.insert(uid).second; });
  }

  /// Second copies that are not known to be ours: told, and left alone.
  Task<void> report_equals() {
    if (strangers_.empty()) co_return;
    const auto asked = [this](std::size_t at) {
      return !strangers_.spoken_for(at) && !r_.memory.twins_told.contains(strangers_.uid(at));
    };
    std::vector<Uid> equal =
        co_await equal_to_recorded(r_.target, r_.journal, r_.target_folder.id, strangers_, asked);
    co_await leave_out_others(r_.journal, r_.folder, strangers_, equal);
    leave_out_what_was_told(equal);
    if (equal.empty()) co_return;
    result_.twins += equal.size();
    note(
        (equal.size() == 1
             ? "1 message on the target equals another that has crossed, and may have come from "
               "somebody else; it stays"
             : std::to_string(equal.size()) +
                   " messages on the target equal others that have crossed, and may have come from "
                   "somebody else; they stay") +
        listed(equal));
  }

  static std::string listed(const std::vector<Uid>& uids) {
    std::string out = " (UID ";
    for (std::size_t i = 0; i < std::min(uids.size(), kUidsTold); ++i)
      out += (i ? ", " : "") + std::to_string(uids[i].value);
    return out + (uids.size() > kUidsTold ? ", ...)" : ")");
  }

  void note(const std::string& text) const {
    r_.observer.note(Level::warning, "folder " + r_.folder.source.to_string() + ": " + text);
  }

  /// Marked by an undo that was cut short, or before anybody knew whose copy it is: it is to stay.
  Task<void> unmark(std::vector<Uid> uids) {
    const std::string count = counted(uids.size(), "message stays", "messages stay");
    try {
      co_await r_.target.store(std::move(uids), Flags{Flags::deleted, {}}, false);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
      note(count + " marked \\Deleted on the target: " + error.message());
    }
  }

  Task<void> record() {
    if (!marked_.empty()) co_await unmark(std::exchange(marked_, {}));
    Record record;
    record.folder = r_.folder.id;
    record.target_folder = r_.target_folder.id;
    record.void_keys = r_.void_keys;
    record.source_uid_validity = r_.source_uid_validity;
    for (auto& [uid, row] : claims_)
      if (strangers_.find(uid)) rows_.push_back(std::move(row));
    if (r_.void_keys) co_await keep_what_has_gone();
    record.rows = std::move(rows_);
    record.run = r_.run;
    // What was not found again is there no more and comes anew: what was known of its copy is void.
    for (const auto& [index, row] : r_.unplaced)
      if (wanted(index)) record.forget.push_back(row.key);
    r_.unplaced.clear();
    for (const auto& [before, now] : outdated_) record.forget.push_back(before);
    record.renamed = std::move(outdated_);
    // Another account's batch is not ours to decide: its late commits must stay above the mark.
    for (const OpenBatch& batch : r_.batches)
      if (batch.folder != r_.folder.id && batch.uid_next)
        result_.watermark = std::min(result_.watermark, batch.uid_next);
    record.watermark = result_.watermark;
    for (const OpenBatch& batch : r_.batches) {
      if (batch.settled || batch.folder != r_.folder.id) continue;
      const bool whole = std::ranges::all_of(batch.keys, [&](const MessageKey& key) {
        const auto at = r_.catalogue.find(key);
        return at && !wanted(*at);
      });
      (whole ? record.close_batches : record.settle_batches).push_back(batch.id);
    }
    co_await r_.journal.record(std::move(record));
  }

  SettleRequest r_;
  Members members_;
  Orphans orphans_;                    // not found yet
  std::map<Uid, MessageRow> claims_;   // of those whose bytes nobody noted, while nothing else fits
  std::map<Uid, MessageRow> renamed_;  // of those whose name, perhaps, is another now
  std::vector<std::pair<MessageKey, MessageKey>>
      outdated_;  // of rows that have another key, and it
  SettleResult result_;
  std::vector<MessageRow> witnesses_;  // of the highest UIDs, until they were looked at
  Uid from_{1};                        // what is below is accounted for
  Strangers strangers_;
  std::map<Uid, std::uint64_t> headers_;  // header_hash() of strangers, while there are orphans
  CopyHeaders copies_;
  std::int64_t now_ = 0;
  std::vector<MessageRow> rows_;
  std::vector<Uid> marked_;  // of rows_: \Deleted on the target, and not at the source
};

}  // namespace

Task<SettleResult> settle(SettleRequest request) {
  Settler settler(std::move(request));
  co_return co_await settler.run();
}

}  // namespace postferry
