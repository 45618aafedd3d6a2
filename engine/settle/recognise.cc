#include "engine/settle/recognise.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/fingerprint.h"
#include "engine/settle/body_digests.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;
constexpr std::size_t kHeadersAtOnce = 500;
/// More messages than these out of their order, and the order says nothing.
constexpr std::size_t kFewOutOfOrder = 20;
/// Enough header fields to know a message by.
constexpr int kStrongFields = 2;

/// What a header says of a message.
struct Look {
  std::uint64_t hash = 0;
  bool strong = false;     // there is enough of it
  bool delivered = false;  // has a Received, so that the hash is that of one delivery
};

Look look_of(const HeaderFields& fields) {
  // Look-alike mail (alarms, reports) without a Message-ID may have nothing in its header by which
  // to tell it apart: one relay takes many of them in a second.
  return {header_hash(fields), fields.message_id && fingerprint(fields).fields >= kStrongFields,
          fields.received.has_value()};
}

class Recogniser {
 public:
  explicit Recogniser(RecogniseRequest request) : r_(std::move(request)) {}

  Task<std::set<MessageKey>> run() {
    named_.assign(r_.catalogue.size(), false);
    places_.assign(r_.catalogue.size(), Uid{});
    co_await for_each_row([this](const MessageRow& row) { sort(row); });
    co_await doubt_who_is_out_of_order();
    co_await examine(std::exchange(doubtful_, {}));
    if (!displaced_keys_.empty()) {
      // All other UIDLs of this server are in doubt, too.
      co_await for_each_row([this](const MessageRow& row) {
        if (r_.catalogue.find(row.key) && !examined_.contains(row.key)) doubtful_.push_back(row);
      });
      co_await examine(std::exchange(doubtful_, {}));
    }
    co_await find_moved();
    co_await record();
    if (missing_ > 0 && !r_.source.windowed()) co_await note_who_left();
    co_return std::move(unproved_);
  }

 private:
  template <class Take>
  Task<void> for_each_row(Take take) {
    MessageKey after;
    for (;;) {
      const std::vector<MessageRow> rows =
          co_await r_.journal.rows(r_.folder.id, after, kRowsAtOnce);
      if (rows.empty()) co_return;
      after = rows.back().key;
      for (const MessageRow& row : rows) take(row);
    }
  }

  std::uint64_t listed_bytes(std::size_t index) const { return r_.catalogue.size_bytes(index); }
  static std::uint64_t listed_bytes(const MessageRow& row) {
    return row.listed_bytes.value_or(row.size_bytes);
  }
  /// We asked for its removal, or know of it.
  static bool sent_away(const MessageRow& row) { return was_sent_away(row.state); }

  /// An earlier listing did not have it: whoever bears its name now may be another.
  static bool was_away(const MessageRow& row) { return row.listed_bytes == MessageRow::kNotListed; }
  /// Its message was at the source when it was last listed.
  static bool was_listed(const MessageRow& row) {
    return row.state != MessageState::removed && !was_away(row);
  }

  void sort(const MessageRow& row) {
    if (was_listed(row)) ++rows_;
    const auto index = r_.catalogue.find(row.key);
    if (!index) {
      if (!was_listed(row)) return;
      ++missing_;
      missing_sizes_.insert(listed_bytes(row));
      return;
    }
    named_[*index] = true;
    places_[*index] = row.target_uid;
    if (sent_away(row) || was_away(row) || listed_bytes(row) != listed_bytes(*index) ||
        may_leave(row))
      doubtful_.push_back(row);
  }

  /// A made-up name is made of the header that would be read.
  bool may_leave(const MessageRow& row) const {
    return r_.leaves_if_copied_by && row.copied_at <= *r_.leaves_if_copied_by &&
           row.state < MessageState::leaving && !row.repairs && !row.key.is_made_up();
  }

  /// Mail was copied in the order of the listing. What is listed behind mail that was copied after
  /// it may be a new message under the name, and by chance of the size, of one that has gone since.
  /// New mail is listed last: if any such is there, the last message with a recorded name is one.
  Task<void> doubt_who_is_out_of_order() {
    std::vector<MessageKey> keys;
    Uid highest;
    for (std::size_t i = 0; i < places_.size() && keys.size() <= kFewOutOfOrder; ++i) {
      if (places_[i] && places_[i] < highest) keys.push_back(r_.catalogue.key(i));
      highest = std::max(highest, places_[i]);
    }
    std::vector<Uid>().swap(places_);
    if (keys.size() > kFewOutOfOrder) keys.clear();
    const auto last = std::ranges::find(named_.rbegin(), named_.rend(), true);
    if (last != named_.rend()) {
      MessageKey key = r_.catalogue.key(static_cast<std::size_t>(named_.rend() - last) - 1);
      if (!key.is_made_up() && std::ranges::find(keys, key) == keys.end())
        keys.push_back(std::move(key));
    }
    if (keys.empty()) co_return;
    for (const MessageRow& row : doubtful_) std::erase(keys, row.key);
    // A repaired message had another header.
    for (MessageRow& row : co_await r_.journal.rows_for(r_.folder.id, std::move(keys)))
      if (!row.repairs) doubtful_.push_back(std::move(row));
  }

  /// Decides for rows whose key is listed whether it is their message.
  Task<void> examine(std::vector<MessageRow> rows) {
    if (rows.empty()) co_return;
    std::vector<MessageKey> keys;
    for (const MessageRow& row : rows) {
      keys.push_back(row.key);
      examined_.insert(row.key);
    }
    co_await read_looks(std::move(keys));
    co_await complete(rows);
    std::vector<MessageRow> unsure;
    for (MessageRow& row : rows) {
      const std::size_t index = *r_.catalogue.find(row.key);
      const auto look = looks_.find(index);
      if (look == looks_.end()) {  // its header is not to be had, nor would its body be
        unproved_.insert(row.key);
        continue;
      }
      const bool equal = row.header == look->second.hash;
      // Of a name that is made of the header no more than that is known, and here something is odd.
      const bool proves = look->second.strong && !row.key.is_made_up();
      if (equal && proves) {
        keep(std::move(row), index);
      } else if (!equal && row.header && listed_bytes(row) != listed_bytes(index)) {
        displace(std::move(row), index);
      } else {
        unsure.push_back(std::move(row));
      }
    }
    const auto digests = co_await digests_of(unsure);
    for (MessageRow& row : unsure) {
      const std::size_t index = *r_.catalogue.find(row.key);
      const auto digest = digests.find(row.key);
      bool same = row.header == looks_.at(index).hash;
      if (row.sha256) {
        same = digest != digests.end() && digest->second == *row.sha256;
      } else if (same && (!looks_.at(index).strong || row.key.is_made_up()) && r_.target) {
        same = co_await has_bytes_of(row, index);
      }
      if (same) {
        keep(std::move(row), index);
      } else {
        displace(std::move(row), index);
      }
    }
  }

  Task<std::map<MessageKey, Sha256>> digests_of(const std::vector<MessageRow>& rows) {
    std::vector<Catalogue::Entry> wanted;
    for (const MessageRow& row : rows)
      if (row.sha256) wanted.push_back(r_.catalogue[*r_.catalogue.find(row.key)]);
    std::map<MessageKey, Sha256> none;
    if (wanted.empty()) co_return none;
    co_return co_await source_digests(r_.source, std::move(wanted),
                                      {.forgiving = false, .munged_header = false});
  }

  /// Headers of what is listed, in parts.
  Task<void> read_looks(std::vector<MessageKey> keys) {
    for (std::size_t at = 0; at < keys.size(); at += kHeadersAtOnce) {
      const std::size_t end = std::min(at + kHeadersAtOnce, keys.size());
      std::vector<MessageKey> part(keys.begin() + static_cast<std::ptrdiff_t>(at),
                                   keys.begin() + static_cast<std::ptrdiff_t>(end));
      for (const HeaderEntry& header : co_await r_.source.headers(std::move(part)))
        if (const auto index = r_.catalogue.find(header.key))
          looks_[*index] = look_of(header.fields);
    }
  }

  /// Rows of a journal that did not keep headers yet get theirs from the copies.
  Task<void> complete(std::vector<MessageRow>& rows) {
    if (!r_.target) co_return;
    std::map<Uid, std::uint64_t> of_copies;
    std::vector<Uid> uids;
    for (const MessageRow& row : rows)
      if (!row.header && row.target_uid) uids.push_back(row.target_uid);
    std::ranges::sort(uids);
    for (std::size_t at = 0; at < uids.size(); at += kHeadersAtOnce) {
      const std::size_t end = std::min(at + kHeadersAtOnce, uids.size());
      std::vector<Uid> part(uids.begin() + static_cast<std::ptrdiff_t>(at),
                            uids.begin() + static_cast<std::ptrdiff_t>(end));
      for (const HeaderEntry& header : co_await r_.target->headers(std::move(part)))
        of_copies[header.key.uid()] = header_hash(header.fields);
    }
    for (MessageRow& row : rows)
      if (const auto at = of_copies.find(row.target_uid); at != of_copies.end())
        row.header = at->second;
  }

  /// The row is that of the message at `index`, and says so from now on.
  void keep(MessageRow row, std::size_t index) {
    named_[index] = true;
    const auto read = looks_.find(index);
    if (row.key == r_.catalogue.key(index) && row.listed_bytes == listed_bytes(index) &&
        !sent_away(row) && read != looks_.end() && row.header == read->second.hash)
      return;
    row.key = r_.catalogue.key(index);
    row.listed_bytes = listed_bytes(index);
    if (read != looks_.end()) row.header = read->second.hash;
    // It has not gone, or came back: its copy must be seen again before it may go.
    if (sent_away(row)) row.state = MessageState::copied;
    record_.rows.push_back(std::move(row));
  }

  void displace(MessageRow row, std::size_t index) {
    named_[index] = false;
    displaced_keys_.push_back(row.key);
    if (row.state == MessageState::removed) return;
    missing_sizes_.insert(listed_bytes(row));
    displaced_.push_back(std::move(row));
  }

  /// Looks for recorded messages among those that are listed under a new key.
  Task<void> find_moved() {
    if (missing_ == 0 && displaced_.empty()) co_return;
    // Where most names are gone the sizes may have changed with them.
    const bool most = 2 * (missing_ + displaced_.size()) > rows_;
    std::vector<MessageKey> unread;
    std::vector<std::size_t> fresh;
    for (std::size_t i = 0; i < named_.size(); ++i) {
      if (named_[i] || !(most || missing_sizes_.contains(listed_bytes(i)))) continue;
      fresh.push_back(i);
      if (!looks_.contains(i)) unread.push_back(r_.catalogue.key(i));
    }
    if (fresh.empty()) co_return;
    co_await read_looks(std::move(unread));
    for (const std::size_t index : fresh)
      if (const auto look = looks_.find(index); look != looks_.end())
        fresh_[look->second.hash].push_back(index);
    co_await move_rows(std::exchange(displaced_, {}));
    if (missing_ == 0) co_return;
    // What had left before comes after what was there when last listed, and what we removed is back
    // under no other name.
    co_await move_missing([](const MessageRow& row) { return was_listed(row); });
    co_await move_missing(
        [](const MessageRow& row) { return was_away(row) && row.state != MessageState::removed; });
  }

  /// Looks for those of the recorded messages that are listed no more.
  template <class Is>
  Task<void> move_missing(Is is) {
    MessageKey after;
    while (std::ranges::any_of(fresh_, [](const auto& group) { return !group.second.empty(); })) {
      std::vector<MessageRow> rows = co_await r_.journal.rows(r_.folder.id, after, kRowsAtOnce);
      if (rows.empty()) break;
      after = rows.back().key;
      std::erase_if(rows, [&](const MessageRow& row) {
        return !is(row) || r_.catalogue.find(row.key).has_value();
      });
      if (!rows.empty()) co_await move_rows(std::move(rows));
    }
  }

  Task<void> move_rows(std::vector<MessageRow> rows) {
    co_await complete(rows);
    for (MessageRow& row : rows) {
      const auto candidates = row.header ? fresh_.find(*row.header) : fresh_.end();
      if (candidates == fresh_.end()) continue;
      const std::optional<std::size_t> index = co_await choose(row, candidates->second);
      if (!index) continue;
      std::erase(candidates->second, *index);
      ++moved_;
      record_.forget.push_back(row.key);
      record_.renamed.emplace_back(row.key, r_.catalogue.key(*index));
      keep(std::move(row), *index);
    }
  }

  /// Of listed messages with the row's header, its own: that of its size, else one that was
  /// delivered as it was. Where the header says too little, only equal bytes are proof, whatever
  /// the size: it may have changed with the name.
  Task<std::optional<std::size_t>> choose(const MessageRow& row,
                                          std::vector<std::size_t> candidates) {
    // What bears its name could not be proved to be it, and a header like its own is no proof.
    std::erase_if(candidates,
                  [&](std::size_t index) { return r_.catalogue.key(index) == row.key; });
    std::ranges::stable_partition(
        candidates, [&](std::size_t index) { return listed_bytes(index) == listed_bytes(row); });
    for (const std::size_t index : candidates) {
      const Look& look = looks_.at(index);
      const bool same_size = listed_bytes(index) == listed_bytes(row);
      if (look.strong && (same_size || look.delivered)) co_return index;
      if (look.strong) continue;
      const bool equal = co_await has_bytes_of(row, index);
      if (equal) co_return index;
    }
    co_return std::nullopt;
  }

  /// Whether a listed message has the bytes that were sent, or those that were found.
  Task<bool> has_bytes_of(const MessageRow& row, std::size_t index) {
    if (!row.sha256 && !(r_.target && row.target_uid)) co_return false;
    Comparison comparison{.forgiving = false, .munged_header = false};
    if (!row.sha256)
      comparison = {.forgiving = true, .munged_header = r_.target->traits().munges_8bit};
    const std::optional<Sha256> here = co_await digest_of(index, comparison);
    if (!here || row.sha256) co_return here&&* here == *row.sha256;
    std::vector<Uid> copy{row.target_uid};
    const auto there = co_await target_digests(*r_.target, std::move(copy), comparison);
    co_return !there.empty() && there.begin()->second == *here;
  }

  /// Each is fetched once for each way to compare, however many look like it.
  Task<std::optional<Sha256>> digest_of(std::size_t index, Comparison comparison) {
    auto& known = digests_[comparison.forgiving];
    if (const auto at = known.find(index); at != known.end()) co_return at->second;
    std::vector<Catalogue::Entry> wanted{r_.catalogue[index]};
    const auto read = co_await source_digests(r_.source, std::move(wanted), comparison);
    std::optional<Sha256> digest;
    if (!read.empty()) digest = read.begin()->second;
    co_return known.emplace(index, digest).first->second;
  }

  Task<void> record() {
    if (moved_ > 0)
      note(moved_ == 1 ? "1 message has a new name at the source; it was recognised, and is not "
                         "copied again"
                       : std::to_string(moved_) +
                             " messages have new names at the source; they were recognised, and "
                             "are not copied again");
    if (!displaced_keys_.empty())
      note(displaced_keys_.size() == 1
               ? "the source gave the name of 1 message to another"
               : "the source gave the names of " + std::to_string(displaced_keys_.size()) +
                     " messages to others");
    for (MessageKey& key : displaced_keys_) record_.forget.push_back(std::move(key));
    if (record_.rows.empty() && record_.forget.empty()) co_return;
    record_.folder = r_.folder.id;
    record_.target_folder = r_.folder.target_folder;
    co_await r_.journal.record(std::move(record_));
  }

  /// So that a message that comes under the name of one that left is looked at, whatever its size.
  /// Names that are made of the message need no such care.
  Task<void> note_who_left() {
    MessageKey after;
    for (;;) {
      std::vector<MessageRow> rows = co_await r_.journal.rows(r_.folder.id, after, kRowsAtOnce);
      if (rows.empty()) co_return;
      after = rows.back().key;
      std::erase_if(rows, [this](const MessageRow& row) {
        return !was_listed(row) || row.key.is_made_up() || r_.catalogue.find(row.key);
      });
      if (rows.empty()) continue;
      for (MessageRow& row : rows) row.listed_bytes = MessageRow::kNotListed;
      Record left;
      left.folder = r_.folder.id;
      left.target_folder = r_.folder.target_folder;
      left.rows = std::move(rows);
      co_await r_.journal.record(std::move(left));
    }
  }

  void note(const std::string& text) const {
    r_.observer.note(Level::info, "folder " + r_.folder.source.to_string() + ": " + text);
  }

  RecogniseRequest r_;
  std::vector<bool> named_;               // by entry: it has a row
  std::vector<Uid> places_;               // by entry: its copy's UID, 0 without one
  std::uint64_t rows_ = 0, missing_ = 0;  // that are not removed; of these, with no such key listed
  std::set<std::uint64_t> missing_sizes_;
  std::vector<MessageRow> doubtful_, displaced_;
  std::vector<MessageKey> displaced_keys_;
  std::set<MessageKey> examined_, unproved_;
  std::map<std::size_t, Look> looks_;                        // by entry
  std::map<std::size_t, std::optional<Sha256>> digests_[2];  // by entry: exact, and forgiving
  std::map<std::uint64_t, std::vector<std::size_t>> fresh_;  // entries without a row, by header
  Record record_;
  std::uint64_t moved_ = 0;
};

}  // namespace

Task<std::set<MessageKey>> recognise(RecogniseRequest request) {
  Recogniser recogniser(std::move(request));
  co_return co_await recogniser.run();
}

}  // namespace postferry
