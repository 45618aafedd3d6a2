#include "engine/proof/verify_folder.h"

#include <algorithm>
#include <map>
#include <ranges>

#include "engine/crossing/repairing_source.h"
#include "engine/proof/verify_pairs.h"
#include "engine/settle/body_digests.h"
#include "engine/settle/match.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;
constexpr std::size_t kHeadersAtOnce = 500;

class FolderVerifier {
 public:
  explicit FolderVerifier(VerifyFolderRequest request) : r_(std::move(request)) {
    if (!r_.source) return;
    sent_.emplace(*r_.source, repairs_);
    r_.source = &*sent_;
  }

  Task<std::vector<VerifiedFolder>> run() {
    co_await open_target();
    for (const VerifyPart& part : r_.parts) {
      VerifiedFolder& folder = done_.emplace_back();
      folder.source = part.source;
      folder.target = r_.folder;
      folder.folder_missing = !r_.exists && part.listed;
      at_ = &folder;
      co_await verify_part(part);
    }
    at_ = &done_.front();
    co_await look_at_the_rest();
    co_return std::move(done_);
  }

 private:
  // --- the target folder

  Task<void> open_target() {
    if (r_.exists) {
      const FolderNumbers numbers = co_await r_.target.select(r_.folder);
      validity_ = numbers.uid_validity.value_or(0);
      entries_ = co_await r_.target.look(Uid{1});
    }
    taken_.assign(entries_.size(), false);
    paired_ = taken_;
    for (const VerifyPart& part : r_.parts) {
      if (!part.record) continue;
      const TargetFolderRecord known =
          co_await r_.journal.target_folder(part.record->target_folder);
      target_rows_hold_ = known.uid_validity == validity_;
      // Other accounts may fill this folder, too: what their rows name is not foreign.
      if (target_rows_hold_)
        for (const Uid uid : co_await r_.journal.named(known.id, Uid{1}))
          if (const auto place = find_on_target(uid)) taken_[*place] = true;
      break;
    }
  }

  std::optional<std::size_t> find_on_target(Uid uid) const {
    const auto at = std::ranges::lower_bound(entries_, uid, {}, &TargetEntry::uid);
    if (at == entries_.end() || at->uid != uid) return std::nullopt;
    return static_cast<std::size_t>(at - entries_.begin());
  }

  // --- one source folder

  Task<void> verify_part(const VerifyPart& part) {
    catalogue_ = {};
    std::uint32_t source_validity = 0;
    if (r_.source && part.listed) {
      const FolderNumbers numbers = co_await r_.source->select(part.source);
      source_validity = numbers.uid_validity.value_or(0);
      catalogue_ = co_await r_.source->catalogue();
    }
    due_.assign(catalogue_.size(), true);
    lost_.clear();
    repairs_.clear();
    at_->messages.seen = catalogue_.size();
    const bool source_rows_hold =
        part.record && (!r_.source || !part.listed || !part.record->source_uid_validity ||
                        part.record->source_uid_validity == source_validity);
    bool rows_known = false;
    if (part.record && !(source_rows_hold && target_rows_hold_)) co_await release(part.record->id);
    if (part.record) rows_known = co_await check_rows(part.record->id, !source_rows_hold);
    if (source_rows_hold) co_await note_failures(part.record->id);
    filter();
    co_await place_the_rest(rows_known);
    co_await tell_missing();
    co_await name_findings(part.listed);
  }

  /// Rows that no longer hold say nothing of what is on the target. What stands under such a UID
  /// may have been found to be another folder's: that it stays.
  Task<void> release(FolderId folder) {
    MessageKey after;
    for (;;) {
      const std::vector<MessageRow> rows = co_await r_.journal.rows(folder, after, kRowsAtOnce);
      if (rows.empty()) co_return;
      after = rows.back().key;
      for (const MessageRow& row : rows)
        if (const auto place = find_on_target(row.target_uid);
            place && (!paired_[*place] || r_.target.traits().folds_duplicates))
          taken_[*place] = false;
    }
  }

  /// What the journal says went where, looked up on the target. True when it says anything. Where
  /// its keys mean nothing any more it can only tell of what we removed from the source.
  Task<bool> check_rows(FolderId folder, bool only_removed) {
    MessageKey after;
    bool any = false;
    for (;;) {
      std::vector<MessageRow> rows = co_await r_.journal.rows(folder, after, kRowsAtOnce);
      if (rows.empty()) co_return any;
      after = rows.back().key;
      if (only_removed) std::erase_if(rows, [](const MessageRow& row) { return !is_removed(row); });
      any = any || !rows.empty();
      std::vector<VerifyPair> pairs;
      for (MessageRow& row : rows) {
        if (row.state == MessageState::left_out) {
          leave_out(row);
        } else {
          place_row(std::move(row), pairs, !only_removed);
        }
      }
      co_await check_pairs(std::move(pairs));
    }
  }

  static bool is_removed(const MessageRow& row) { return was_sent_away(row.state); }

  /// Its date is known by the row alone.
  void leave_out(const MessageRow& row) {
    const auto index = r_.source ? catalogue_.find(row.key) : std::nullopt;
    if (!index || r_.options.wants(row.size_bytes, row.date)) return;
    due_[*index] = false;
    ++at_->messages.filtered;
  }

  void place_row(MessageRow row, std::vector<VerifyPair>& pairs, bool keys_hold) {
    const auto index = r_.source && keys_hold ? catalogue_.find(row.key) : std::nullopt;
    auto place =
        row.target_uid && target_rows_hold_ ? find_on_target(row.target_uid) : std::nullopt;
    bool folded = row.origin == Origin::folded;
    if (place && paired_[*place]) {  // k messages need k copies, but where the server folds them
      folded = folded || r_.target.traits().folds_duplicates;
      if (!folded) place.reset();
    }
    if (!place) {
      if (index) {
        lost_[*index] = row.target_uid;
      } else if (!r_.source || r_.source->windowed() || is_removed(row)) {
        // What we removed from the source must be on the target; what people removed need not be.
        // A source that shows a part of its mail does not say what it has no longer.
        ++at_->messages.seen;
        add(FindingKind::missing, row.key, row.target_uid, lost_text(row.target_uid));
      } else {
        ++at_->messages.gone;
      }
      return;
    }
    VerifyPair pair;
    pair.target = *place;
    pair.folded = folded;
    paired_[*place] = taken_[*place] = true;
    if (row.repairs) repairs_[row.key] = row.repairs;
    if (index) {
      pair.source = catalogue_[*index];
      due_[*index] = false;
    } else {
      ++at_->messages.seen;
      ++at_->messages.kept;
    }
    pair.row = std::move(row);
    pairs.push_back(std::move(pair));
  }

  static std::string lost_text(Uid uid) {
    return uid ? "was copied as UID " + std::to_string(uid.value) +
                     ", which is no longer there, or another message's"
               : "was copied, but is no longer there";
  }

  Task<void> note_failures(FolderId folder) {
    failures_.clear();
    for (FailureRow& row : co_await r_.journal.failures(folder)) {
      if (row.left) continue;  // its row says where its copy should be
      if (r_.source) {
        if (const auto index = catalogue_.find(row.key)) failures_[*index] = std::move(row);
      } else {
        ++at_->messages.seen;
        add(kind_of(row), row.key, {}, row.text);
      }
    }
  }

  static FindingKind kind_of(const FailureRow& row) {
    return row.accepted ? FindingKind::accepted : FindingKind::refused;
  }

  void filter() {
    for (std::size_t i = 0; i < due_.size(); ++i) {
      if (!due_[i]) continue;
      const Catalogue::Entry entry = catalogue_[i];
      if (r_.options.wants(entry.size_bytes, entry.date)) continue;
      due_[i] = false;
      ++at_->messages.filtered;
    }
  }

  Task<void> check_pairs(std::vector<VerifyPair> pairs) {
    return verify_pairs({r_.source, r_.target, r_.level, !r_.source || catalogue_.by_uid(),
                         entries_, *at_, r_.stop},
                        std::move(pairs));
  }

  // --- messages that no row names

  Comparison forgiving() const {
    return {
        .forgiving = true, .munged_header = r_.target.traits().munges_8bit, .without_tuid = true};
  }

  Task<void> place_the_rest(bool rows_known) {
    std::vector<std::size_t> wanted, free;
    for (std::size_t i = 0; i < due_.size(); ++i)
      if (due_[i]) wanted.push_back(i);
    for (const unsigned marked : {0u, 0u + Flags::deleted})  // what is to go only at need
      for (std::size_t i = 0; i < entries_.size(); ++i)
        if (!taken_[i] && (entries_[i].flags.system & Flags::deleted) == marked) free.push_back(i);
    if (wanted.empty() || free.empty()) co_return;
    if (r_.level == VerifyLevel::count) {
      if (!rows_known) co_await place_by_listing(std::move(wanted), std::move(free));
      co_return;
    }
    const std::vector<Likeness> sources = co_await source_likenesses(std::move(wanted));
    const std::vector<Likeness> targets = co_await target_likenesses(std::move(free));
    const MatchResult matched = match_by_header(sources, targets, r_.target.traits().adds_received);
    std::vector<VerifyPair> pairs;
    for (const auto& [index, place] : matched.pairs) pairs.push_back(found(index, place));
    for (const Ambiguous& group : matched.ambiguous)
      for (const auto& [index, place] : co_await decide_by_bytes(group))
        pairs.push_back(found(index, place));
    co_await check_pairs(std::move(pairs));
  }

  /// Where nothing better is known: one of the same size and date, else one of the same size; what
  /// is left over at both ends stands for each other, and differs.
  Task<void> place_by_listing(std::vector<std::size_t> wanted, std::vector<std::size_t> free) {
    std::vector<VerifyPair> pairs;
    for (const bool dated : {true, false}) {
      std::map<std::pair<std::uint64_t, std::int64_t>, std::vector<std::size_t>> by_likeness;
      const auto likeness_of = [dated](std::uint64_t size,
                                       const std::optional<InternalDate>& date) {
        return std::pair(size, dated && date ? date->seconds : 0);
      };
      for (const std::size_t place : std::views::reverse(free))
        by_likeness[likeness_of(entries_[place].size_bytes, entries_[place].date)].push_back(place);
      std::erase_if(wanted, [&](std::size_t index) {
        const Catalogue::Entry entry = catalogue_[index];
        const auto at = by_likeness.find(likeness_of(entry.size_bytes, entry.date));
        if (at == by_likeness.end() || at->second.empty()) return false;
        pairs.push_back(found(index, at->second.back()));
        at->second.pop_back();
        return true;
      });
      std::erase_if(free, [this](std::size_t place) { return taken_[place]; });
    }
    for (std::size_t i = 0; i < std::min(wanted.size(), free.size()); ++i)
      pairs.push_back(found(wanted[i], free[i]));
    co_await check_pairs(std::move(pairs));
  }

  VerifyPair found(std::size_t index, std::size_t place) {
    due_[index] = false;
    taken_[place] = true;
    paired_[place] = true;
    return {catalogue_[index], place, std::nullopt, false};
  }

  Task<std::vector<std::pair<std::size_t, std::size_t>>> decide_by_bytes(Ambiguous group) {
    std::vector<Catalogue::Entry> wanted;
    std::vector<Uid> uids;
    for (const Likeness& source : group.source) wanted.push_back(catalogue_[source.index]);
    for (const Likeness& target : group.target) uids.push_back(entries_[target.index].uid);
    std::ranges::sort(uids);
    std::map<std::size_t, Sha256> by_index, by_place;
    for (const auto& [key, digest] :
         co_await source_digests(*r_.source, std::move(wanted), forgiving()))
      if (const auto index = catalogue_.find(key)) by_index[*index] = digest;
    for (const auto& [uid, digest] :
         co_await target_digests(r_.target, std::move(uids), forgiving()))
      if (const auto place = find_on_target(uid)) by_place[*place] = digest;
    co_return match_by_bytes(group, by_index, by_place);
  }

  HeaderFields as_told(HeaderFields fields) const {
    return as_target_tells(std::move(fields), r_.target.traits());
  }

  Task<std::vector<Likeness>> source_likenesses(std::vector<std::size_t> indices) {
    std::vector<Likeness> out;
    for (std::size_t at = 0; at < indices.size(); at += kHeadersAtOnce) {
      look_for_stop();
      std::vector<MessageKey> keys;
      for (std::size_t i = at; i < std::min(at + kHeadersAtOnce, indices.size()); ++i)
        keys.push_back(catalogue_.key(indices[i]));
      for (HeaderEntry& header : co_await r_.source->headers(std::move(keys)))
        if (const auto index = catalogue_.find(header.key)) {
          const Catalogue::Entry entry = catalogue_[*index];
          out.push_back(
              likeness(as_told(std::move(header.fields)), entry.size_bytes, entry.date, *index));
        }
    }
    std::ranges::sort(out, {}, &Likeness::index);
    co_return out;
  }

  Task<std::vector<Likeness>> target_likenesses(std::vector<std::size_t> places) {
    std::vector<Likeness> out;
    for (std::size_t at = 0; at < places.size(); at += kHeadersAtOnce) {
      look_for_stop();
      std::vector<Uid> uids;
      for (std::size_t i = at; i < std::min(at + kHeadersAtOnce, places.size()); ++i)
        uids.push_back(entries_[places[i]].uid);
      for (HeaderEntry& header : co_await r_.target.headers(std::move(uids)))
        if (const auto place = find_on_target(header.key.uid())) {
          const TargetEntry& entry = entries_[*place];
          out.push_back(
              likeness(as_told(std::move(header.fields)), entry.size_bytes, entry.date, *place));
        }
    }
    std::ranges::sort(out, {}, &Likeness::index);
    co_return out;
  }

  // --- what is left at the source, and on the target

  Task<void> tell_missing() {
    for (std::size_t i = 0; i < due_.size(); ++i) {
      if (!due_[i]) continue;
      const MessageKey key = catalogue_.key(i);
      const auto refused = failures_.find(i);
      const auto lost = lost_.find(i);
      if (refused != failures_.end()) {
        add(kind_of(refused->second), key, {}, refused->second.text);
      } else if (lost != lost_.end()) {
        add(FindingKind::missing, key, lost->second, lost_text(lost->second));
      } else {
        add(FindingKind::missing, key, {}, "was never copied");
      }
    }
    failures_.clear();
    co_return;
  }

  /// What is on the target alone: a second copy of ours, or somebody else's.
  Task<void> look_at_the_rest() {
    std::vector<std::size_t> rest;
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (!taken_[i]) rest.push_back(i);
    std::map<std::size_t, Uid> doubles;
    if (r_.level != VerifyLevel::count && !rest.empty()) doubles = co_await find_doubles(rest);
    const std::size_t from = at_->findings.size();
    for (const std::size_t place : rest) {
      const Uid uid = entries_[place].uid;
      if (const auto twin = doubles.find(place); twin != doubles.end()) {
        add(FindingKind::doubled, std::nullopt, uid,
            "the same as UID " + std::to_string(twin->second.value));
      } else {
        add(FindingKind::extra, std::nullopt, uid, "on the target alone");
      }
    }
    co_await name_by_target(from);
  }

  /// Which of `rest` is byte for byte the same as a message that has its place. Only those of one
  /// size are looked at.
  Task<std::map<std::size_t, Uid>> find_doubles(std::vector<std::size_t> rest) {
    std::map<std::uint64_t, std::vector<std::size_t>> by_size;
    for (const std::size_t place : rest) by_size[entries_[place].size_bytes].push_back(place);
    std::vector<std::size_t> candidates, placed;
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (taken_[i] && by_size.contains(entries_[i].size_bytes)) placed.push_back(i);
    std::map<Fingerprint, std::vector<std::size_t>> placed_prints;
    for (const Likeness& one : co_await target_likenesses(std::move(placed)))
      placed_prints[one.print].push_back(one.index);
    std::map<std::size_t, Uid> out;
    for (const Likeness& one : co_await target_likenesses(std::move(rest))) {
      const auto alike = placed_prints.find(one.print);
      if (alike == placed_prints.end()) continue;
      std::vector<Uid> uids{entries_[one.index].uid};
      for (const std::size_t place : alike->second)
        if (entries_[place].size_bytes == one.size_bytes) uids.push_back(entries_[place].uid);
      std::ranges::sort(uids);
      look_for_stop();
      const auto digests = co_await target_digests(r_.target, std::move(uids),
                                                   {.forgiving = false, .munged_header = false});
      const auto own = digests.find(entries_[one.index].uid);
      if (own == digests.end()) continue;
      for (const auto& [uid, digest] : digests)
        if (uid != own->first && digest == own->second) out.emplace(one.index, uid);
    }
    co_return out;
  }

  // --- findings

  void add(FindingKind kind, std::optional<MessageKey> key, Uid uid, std::string text) {
    add_finding(*at_, kind, std::move(key), uid, std::move(text));
  }

  /// Gives the findings of this source folder their Message-IDs, from the source while it is open.
  Task<void> name_findings(bool listed) {
    if (!r_.source || !listed) co_return co_await name_by_target(0);
    std::map<MessageKey, std::vector<std::size_t>> nameless;
    for (std::size_t i = 0; i < at_->findings.size(); ++i)
      if (const auto& key = at_->findings[i].key; key && catalogue_.find(*key))
        nameless[*key].push_back(i);
    std::vector<MessageKey> keys;
    for (auto at = nameless.begin(); at != nameless.end();) {
      keys.push_back(at->first);
      ++at;
      if (keys.size() < kHeadersAtOnce && at != nameless.end()) continue;
      for (const HeaderEntry& header : co_await r_.source->headers(std::exchange(keys, {})))
        if (const auto found = nameless.find(header.key); found != nameless.end())
          for (const std::size_t i : found->second)
            at_->findings[i].message_id = header.fields.message_id.value_or("");
    }
  }

  /// The same from the target, for findings from `from` on that are there.
  Task<void> name_by_target(std::size_t from) {
    std::map<Uid, std::vector<std::size_t>> nameless;
    for (std::size_t i = from; i < at_->findings.size(); ++i)
      if (const Uid uid = at_->findings[i].uid; find_on_target(uid)) nameless[uid].push_back(i);
    std::vector<Uid> uids;
    for (auto at = nameless.begin(); at != nameless.end();) {
      uids.push_back(at->first);
      ++at;
      if (uids.size() < kHeadersAtOnce && at != nameless.end()) continue;
      for (const HeaderEntry& header : co_await r_.target.headers(std::exchange(uids, {})))
        if (const auto found = nameless.find(header.key.uid()); found != nameless.end())
          for (const std::size_t i : found->second)
            at_->findings[i].message_id = header.fields.message_id.value_or("");
    }
  }

  void look_for_stop() const {
    if (r_.stop()) throw StopVerify{};
  }

  VerifyFolderRequest r_;
  std::map<MessageKey, Repairs> repairs_;
  std::optional<RepairingSession> sent_;  // what the source has, as it was sent
  std::vector<VerifiedFolder> done_;
  VerifiedFolder* at_ = nullptr;
  // Of the target folder.
  std::uint32_t validity_ = 0;
  std::vector<TargetEntry> entries_;
  std::vector<bool> taken_;   // a row names it, or a source message was found to be it
  std::vector<bool> paired_;  // a message of the source has it already
  bool target_rows_hold_ = false;
  // Of the source folder under the eye.
  Catalogue catalogue_;
  std::vector<bool> due_;            // not found so far
  std::map<std::size_t, Uid> lost_;  // copied once, by a row whose UID is gone
  std::map<std::size_t, FailureRow> failures_;
};

}  // namespace

Task<std::vector<VerifiedFolder>> verify_folder(VerifyFolderRequest request) {
  FolderVerifier verifier(std::move(request));
  co_return co_await verifier.run();
}

}  // namespace postferry
