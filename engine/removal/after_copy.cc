#include "engine/removal/after_copy.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "engine/counted.h"
#include "engine/error.h"
#include "engine/fingerprint.h"
#include "engine/removal/left_behind.h"
#include "engine/removal/one_ahead.h"
#include "engine/settle/body_digests.h"
#include "engine/settle/follow.h"
#include "engine/settle/proved_copies.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;
constexpr std::size_t kHeadersAtOnce = 500;
constexpr std::size_t kBodiesAtOnce = 200;

bool was_there(const MessageRow& row) {
  return row.origin != Origin::appended && row.target_uid.value != 0;
}

/// A copy that was there before us, with the same UID under the same UIDVALIDITY: in all likelihood
/// it is the message itself, seen under another name of its server.
bool may_be_itself(const MessageRow& row) {
  return was_there(row) && row.key.is_uid() && row.key.uid() == row.target_uid;
}

bool has_crossed(Standing standing) {
  return standing == Standing::present || standing == Standing::copied;
}

class Remover {
 public:
  explicit Remover(RemovalRequest request) : r_(std::move(request)) {}

  Task<RemovalResult> run() {
    co_await collect();
    co_await look_for_copies();
    co_await compare_what_was_there();
    leave_unproved();
    co_await check_names();
    co_await hold_back_equals();
    leave_what_is_itself();
    co_await note_left();
    co_await send_one();
    if (result_.session_over) co_return result_;
    co_await remove();
    co_return result_;
  }

 private:
  /// Of this folder's rows, those whose message is still at the source.
  Task<void> collect() {
    std::vector<MessageKey> gone;
    MessageKey after;
    for (;;) {
      const std::vector<MessageRow> rows = co_await r_.journal.removable(
          r_.folder.id, std::numeric_limits<std::int64_t>::max(), after, kRowsAtOnce);
      if (rows.empty()) break;
      after = rows.back().key;
      for (const MessageRow& row : rows) {
        const auto index = r_.catalogue.find(row.key);
        if (!index) {
          // What we asked for has happened, whatever became of the answer.
          if (row.state == MessageState::leaving) gone.push_back(row.key);
          continue;
        }
        if (!has_crossed(r_.standing[*index])) continue;
        if (row.state == MessageState::copied) {
          unseen_.push_back(row);
        } else if (row.copied_at <= r_.copied_until) {
          due_.push_back(row);
        }
      }
    }
    if (!gone.empty())
      co_await r_.journal.set_state(r_.folder.id, std::move(gone), MessageState::removed);
  }

  Task<void> look_for_copies() {
    leave(unseen_, LeftBecause::copy_gone, [](const MessageRow& row) { return !row.target_uid; });
    if (unseen_.empty()) co_return;
    std::ranges::sort(unseen_, {}, &MessageRow::target_uid);
    const std::vector<TargetEntry> there = co_await r_.target.look(unseen_.front().target_uid);
    std::vector<MessageRow> seen;
    std::vector<DoubtedCopy> doubted;
    for (MessageRow& row : unseen_) {
      const auto at = std::ranges::lower_bound(there, row.target_uid, {}, &TargetEntry::uid);
      if (at == there.end() || at->uid != row.target_uid) {
        left_.emplace(row.key, LeftBecause::copy_gone);
      } else if (row.origin == Origin::appended) {
        if (may_be_copy(row, *at)) {
          seen.push_back(std::move(row));
        } else {
          doubted.push_back({std::move(row), *at});
        }
      } else if (may_have_bytes(*at, listed_bytes(row))) {
        found_there_.push_back(std::move(row));
      } else {
        left_.emplace(row.key, LeftBecause::copy_differs);
      }
    }
    const std::set<Uid> proved = co_await proved_copies(r_.target, doubted);
    for (DoubtedCopy& copy : doubted) {
      if (proved.contains(copy.there.uid)) {
        seen.push_back(std::move(copy.row));
      } else {
        left_.emplace(copy.row.key, LeftBecause::copy_gone);
      }
    }
    co_await saw(std::move(seen));
  }

  /// Those of `rows` that may not leave.
  template <class Stays>
  void leave(std::vector<MessageRow>& rows, LeftBecause why, Stays stays) {
    std::erase_if(rows, [&](const MessageRow& row) {
      if (!stays(row)) return false;
      left_.emplace(row.key, why);
      return true;
    });
  }

  /// Before anything is removed, as far as it was looked at.
  Task<void> note_left() {
    std::set<MessageKey> leaving;
    for (const MessageRow& row : due_) leaving.insert(row.key);
    co_await note_left_behind(
        {r_.journal, r_.observer, r_.folder, r_.run, std::move(left_), std::move(leaving)});
  }

  /// What this run appended bears the UID that the target gave it just now, whatever size and date
  /// it tells: Exchange's sizes are estimates, and some servers keep no date.
  bool may_be_copy(const MessageRow& row, const TargetEntry& there) const {
    const bool ours = row.origin == Origin::appended && row.run == r_.run;
    return ours || is_copy_of(row, there);
  }

  void leave_unproved() {
    leave(due_, LeftBecause::no_header,
          [this](const MessageRow& row) { return r_.unproved.contains(row.key); });
  }

  /// But for a final CRLF and mbsync's line, no copy that passes for equal has another size.
  static bool may_have_bytes(const TargetEntry& copy, std::uint64_t listed) {
    constexpr std::uint64_t kForgiven = 40;
    return std::max(copy.size_bytes, listed) - std::min(copy.size_bytes, listed) <= kForgiven;
  }

  /// A copy that we did not append was recognised by its header, or so the server says: only its
  /// bytes prove that the original is not the last of them.
  Task<void> compare_what_was_there() {
    for (std::size_t at = 0; at < found_there_.size() && !r_.stop(); at += kBodiesAtOnce) {
      std::vector<MessageRow> part = part_of(found_there_, at);
      co_await compare(part);
      leave(part, LeftBecause::copy_differs,
            [this](const MessageRow& row) { return !compared_.contains(row.key); });
      co_await saw(std::move(part));
    }
  }

  static std::vector<MessageRow> part_of(const std::vector<MessageRow>& rows, std::size_t at) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t count = std::min(kBodiesAtOnce, rows.size() - at);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  /// Notes in compared_ those whose copies have their bytes.
  Task<void> compare(const std::vector<MessageRow>& rows) {
    const Comparison comparison{
        .forgiving = true, .munged_header = r_.target.traits().munges_8bit, .without_tuid = true};
    std::vector<Catalogue::Entry> wanted;
    std::vector<Uid> copies;
    for (const MessageRow& row : rows) {
      wanted.push_back(entry_of(row));
      copies.push_back(row.target_uid);
    }
    std::ranges::sort(copies);
    copies.erase(std::ranges::unique(copies).begin(), copies.end());
    const auto here = co_await source_digests(r_.source, std::move(wanted), comparison);
    const auto there = co_await target_digests(r_.target, std::move(copies), comparison);
    for (const MessageRow& row : rows) {
      const auto original = here.find(row.key);
      const auto copy = there.find(row.target_uid);
      if (original != here.end() && copy != there.end() && original->second == copy->second)
        compared_.insert(row.key);
    }
  }

  /// Their copies are there.
  Task<void> saw(std::vector<MessageRow> rows) {
    if (rows.empty()) co_return;
    std::vector<MessageKey> keys;
    for (MessageRow& row : rows) {
      keys.push_back(row.key);
      if (row.copied_at <= r_.copied_until) due_.push_back(std::move(row));
    }
    co_await r_.journal.set_state(r_.folder.id, std::move(keys), MessageState::seen);
  }

  /// What bears the row's name now may be another message: a name that the server did not give
  /// belongs to any with the same header, a UID is given again after a backup was put back. By size
  /// and date together a UID is known, all else by its bytes; where nobody noted these, by its
  /// header or, if the name is made of that, by the bytes of the copy.
  Task<void> check_names() {
    std::vector<Catalogue::Entry> by_bytes;
    std::vector<MessageKey> by_header;
    std::vector<MessageRow> by_copy;
    std::set<MessageKey> doubtful;
    for (const MessageRow& row : due_) {
      if (!may_be_another(row)) continue;
      doubtful.insert(row.key);
      if (row.sha256) {
        by_bytes.push_back(entry_of(row));
      } else if (row.key.is_made_up()) {
        by_copy.push_back(row);
      } else if (row.header) {
        by_header.push_back(row.key);
      }
    }
    if (doubtful.empty()) co_return;
    std::map<MessageKey, Sha256> digests;
    if (!by_bytes.empty())
      digests = co_await source_digests(r_.source, std::move(by_bytes),
                                        {.forgiving = false, .munged_header = false});
    std::map<MessageKey, std::uint64_t> headers;
    if (!by_header.empty()) headers = co_await read_headers(std::move(by_header));
    for (std::size_t at = 0; at < by_copy.size(); at += kBodiesAtOnce)
      co_await compare(part_of(by_copy, at));
    leave(due_, LeftBecause::not_proved, [&](const MessageRow& row) {
      if (!doubtful.contains(row.key) || compared_.contains(row.key)) return false;
      const auto digest = digests.find(row.key);
      const auto header = headers.find(row.key);
      const bool same_bytes = digest != digests.end() && row.sha256 == digest->second;
      const bool same_header = header != headers.end() && row.header == header->second &&
                               row.listed_bytes == listed_bytes(row);
      return !same_bytes && !same_header;
    });
  }

  bool may_be_another(const MessageRow& row) const {
    if (compared_.contains(row.key)) return false;
    if (row.key.is_made_up()) return true;
    if (!row.key.is_uid()) return false;
    const std::optional<InternalDate> date = entry_of(row).date;
    return row.listed_bytes != listed_bytes(row) || !tell_same_instant(row.date, date);
  }

  /// In parts.
  Task<std::map<MessageKey, std::uint64_t>> read_headers(std::vector<MessageKey> keys) {
    std::map<MessageKey, std::uint64_t> hashes;
    for (std::size_t at = 0; at < keys.size(); at += kHeadersAtOnce) {
      const auto end = std::min(at + kHeadersAtOnce, keys.size());
      std::vector<MessageKey> part(keys.begin() + static_cast<std::ptrdiff_t>(at),
                                   keys.begin() + static_cast<std::ptrdiff_t>(end));
      for (const HeaderEntry& header : co_await r_.source.headers(std::move(part)))
        hashes[header.key] = header_hash(header.fields);
    }
    co_return hashes;
  }

  /// Of equal messages none leaves before all have crossed: were the answer lost, one that stayed
  /// would pass for the one that left, under another name, and go without a copy.
  Task<void> hold_back_equals() {
    if (r_.catalogue.by_uid() || due_.empty()) co_return;
    std::set<std::uint64_t> sizes;
    for (const MessageRow& row : due_) sizes.insert(listed_bytes(row));
    std::vector<MessageKey> waiting;
    for (std::size_t i = 0; i < r_.standing.size(); ++i) {
      if (has_crossed(r_.standing[i])) continue;
      MessageKey key = r_.catalogue.key(i);
      // Equals have sizes of their own where LIST does not tell what comes.
      if (key.is_made_up() || sizes.contains(r_.catalogue.size_bytes(i)))
        waiting.push_back(std::move(key));
    }
    if (waiting.empty()) co_return;
    std::set<std::uint64_t> looks;
    for (const auto& [key, hash] : co_await read_headers(std::move(waiting))) looks.insert(hash);
    const std::size_t held = std::erase_if(
        due_, [&](const MessageRow& row) { return row.header && looks.contains(*row.header); });
    if (held > 0)
      note(Level::info, counted(held, "message stays", "messages stay") +
                            " at the source until others there that look the same have crossed, "
                            "too");
  }

  void leave_what_is_itself() {
    if (!r_.one_validity) return;
    const std::size_t left = std::erase_if(due_, may_be_itself);
    if (left > 0) tell_one_mailbox(left, "what is there has the same UID and UIDVALIDITY");
  }

  void tell_one_mailbox(std::size_t count, const std::string& why) const {
    note(Level::warning, counted(count, "message stays", "messages stay") +
                             " at the source: postferry did not make the copy, and " + why +
                             ", so that source and target may be one mailbox");
  }

  /// Where there are no UIDs to tell that, one such message leaves first, and the others when its
  /// copy has stayed.
  Task<void> send_one() {
    if (r_.two_mailboxes) co_return;
    std::vector<Uid> copies;
    for (const MessageRow& row : due_)
      if (was_there(row) && !row.key.is_uid()) copies.push_back(row.target_uid);
    if (copies.empty()) co_return;
    std::ranges::sort(copies);
    // One that was seen, and has been filed away since, tells nothing.
    const std::vector<TargetEntry> there = co_await r_.target.look_at(std::move(copies));
    const MessageRow* one = nullptr;
    for (const MessageRow& row : due_) {
      if (!was_there(row) || row.key.is_uid() ||
          !std::ranges::binary_search(there, row.target_uid, {}, &TargetEntry::uid))
        continue;
      if (one == nullptr || listed_bytes(row) < listed_bytes(*one)) one = &row;
    }
    if (one == nullptr) co_return;
    if (listed_bytes(*one) > kHoldLimit / 2) {  // LIST may tell less than comes
      const std::size_t left = std::erase_if(due_, was_there);
      co_return tell_one_mailbox(left, "is too large to be tried alone");
    }
    const MessageRow row = *one;
    co_await r_.journal.set_state(r_.folder.id, {row.key}, MessageState::leaving);
    co_await r_.journal.make_durable();
    OneAhead tried = co_await send_one_ahead(
        {r_.source, r_.target, r_.journal, r_.folder, r_.run, entry_of(row), row.target_uid});
    if (!tried.removal) {
      co_await r_.journal.set_state(r_.folder.id, {row.key}, MessageState::seen);
      const std::size_t left = std::erase_if(due_, was_there);
      co_return tell_one_mailbox(left,
                                 "it cannot be tried whether it is another (" + tried.why + ")");
    }
    co_await take(std::move(*tried.removal), {row.key});
    std::erase_if(due_, [&](const MessageRow& other) { return other.key == row.key; });
    result_.two_mailboxes = result_.removed > 0;
    result_.more = result_.session_over && !due_.empty();
  }

  Catalogue::Entry entry_of(const MessageRow& row) const {
    return r_.catalogue[*r_.catalogue.find(row.key)];
  }
  std::uint64_t listed_bytes(const MessageRow& row) const { return entry_of(row).size_bytes; }

  Task<void> remove() {
    if (due_.empty()) co_return;
    std::vector<MessageKey> keys;
    for (const MessageRow& row : due_) keys.push_back(row.key);
    co_await r_.journal.set_state(r_.folder.id, keys, MessageState::leaving);
    co_await r_.journal.make_durable();
    Removal removal = co_await r_.source.remove(keys);
    co_await take(std::move(removal), std::move(keys));
  }

  /// What became of them.
  Task<void> take(Removal removal, std::vector<MessageKey> keys) {
    result_.session_over = removal.session_over;
    if (removal.how == Removal::How::unknown)
      throw Error(ErrorKind::transient,
                  "the source does not say that it removed what it was asked to: " + removal.words,
                  "folder " + r_.folder.source.to_string());
    result_.removed += removal.keys.size();
    const std::size_t refused = keys.size() - removal.keys.size();
    if (refused > 0) {
      std::ranges::sort(removal.keys);
      std::erase_if(keys, [&](const MessageKey& key) {
        return std::ranges::binary_search(removal.keys, key);
      });
      co_await r_.journal.set_state(r_.folder.id, std::move(keys), MessageState::seen);
      note(Level::warning, counted(refused, "message stays", "messages stay") +
                               " at the source, which said: " + printable(removal.words));
    }
    const bool marked = removal.how == Removal::How::marked;
    co_await r_.journal.set_state(r_.folder.id, std::move(removal.keys),
                                  marked ? MessageState::marked : MessageState::removed);
    if (marked)
      note(Level::warning,
           "the source has no UIDPLUS, so what was copied is only marked \\Deleted there");
  }

  void note(Level level, const std::string& text) const {
    r_.observer.note(level, "folder " + r_.folder.source.to_string() + ": " + text);
  }

  RemovalRequest r_;
  RemovalResult result_;
  std::vector<MessageRow> unseen_, due_;
  std::vector<MessageRow> found_there_;     // their copies are not ours
  std::set<MessageKey> compared_;           // with such copies, byte for byte, just now
  std::map<MessageKey, LeftBecause> left_;  // what stays for the user to decide
};

}  // namespace

Task<RemovalResult> remove_what_crossed(RemovalRequest request) {
  Remover remover(std::move(request));
  co_return co_await remover.run();
}

Task<std::uint64_t> count_removable(RemovableRequest r) {
  std::set<MessageKey> left;
  for (FailureRow& failure : co_await r.journal.failures(r.folder))
    if (failure.left) left.insert(std::move(failure.key));
  std::uint64_t count = 0;
  MessageKey after;
  for (;;) {
    const std::vector<MessageRow> rows =
        co_await r.journal.removable(r.folder, r.copied_until, after, kRowsAtOnce);
    if (rows.empty()) co_return count;
    after = rows.back().key;
    for (const MessageRow& row : rows) {
      const auto index = r.catalogue.find(row.key);
      const bool stays = !index || !has_crossed(r.standing[*index]) || left.contains(row.key) ||
                         r.unproved.contains(row.key) || (r.one_validity && may_be_itself(row));
      if (!stays) ++count;
    }
  }
}

}  // namespace postferry
