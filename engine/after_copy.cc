#include "engine/after_copy.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "engine/body_digests.h"
#include "engine/error.h"
#include "engine/fingerprint.h"
#include "engine/follow.h"
#include "engine/one_ahead.h"
#include "engine/proved_copies.h"

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
    std::vector<MessageKey> missing;
    std::erase_if(unseen_, [&missing](const MessageRow& row) {
      if (!row.target_uid) missing.push_back(row.key);
      return !row.target_uid;
    });
    if (!unseen_.empty()) {
      std::ranges::sort(unseen_, {}, &MessageRow::target_uid);
      const std::vector<TargetEntry> there = co_await r_.target.look(unseen_.front().target_uid);
      std::vector<MessageRow> seen;
      std::vector<DoubtedCopy> doubted;
      for (MessageRow& row : unseen_) {
        const auto at = std::ranges::lower_bound(there, row.target_uid, {}, &TargetEntry::uid);
        const bool is_there = at != there.end() && at->uid == row.target_uid;
        const bool ours = row.origin == Origin::appended;
        if (is_there && ours && !may_be_copy(row, *at)) {
          doubted.push_back({std::move(row), *at});
        } else if (!is_there || !may_be_copy(row, *at)) {
          missing.push_back(row.key);
        } else if (ours) {
          seen.push_back(std::move(row));
        } else if (may_have_bytes(*at, listed_bytes(row))) {
          found_there_.push_back(std::move(row));
        } else {
          ++others_;
        }
      }
      const std::set<Uid> proved = co_await proved_copies(r_.target, doubted);
      for (DoubtedCopy& copy : doubted) {
        if (proved.contains(copy.there.uid)) {
          seen.push_back(std::move(copy.row));
        } else {
          missing.push_back(copy.row.key);
        }
      }
      co_await saw(std::move(seen));
    }
    if (!missing.empty())
      note(Level::warning, std::to_string(missing.size()) +
                               " messages stay at the source: their copies are not on the target "
                               "as they were copied (" +
                               some_of(missing) + ")");
  }

  /// What this run appended bears the UID that the target gave it just now, whatever size and date
  /// it tells: Exchange's sizes are estimates, and some servers keep no date.
  bool may_be_copy(const MessageRow& row, const TargetEntry& there) const {
    const bool ours = row.origin == Origin::appended && row.run == r_.run;
    return ours || is_copy_of(row, there);
  }

  static std::string some_of(const std::vector<MessageKey>& keys) {
    constexpr std::size_t kNamed = 10;
    std::string out;
    for (std::size_t i = 0; i < std::min(keys.size(), kNamed); ++i)
      out += (i > 0 ? ", " : "") + keys[i].to_string();
    return out + (keys.size() > kNamed ? ", ..." : "");
  }

  void leave_unproved() {
    const std::size_t unproved = std::erase_if(
        due_, [this](const MessageRow& row) { return r_.unproved.contains(row.key); });
    if (unproved > 0)
      note(Level::warning, std::to_string(unproved) +
                               " messages stay at the source: it does not give their headers, so "
                               "that they cannot be proved to be those that were copied");
  }

  /// But for a final CRLF and mbsync's line, no copy that passes for equal has another size.
  static bool may_have_bytes(const TargetEntry& copy, std::uint64_t listed) {
    constexpr std::uint64_t kForgiven = 40;
    return std::max(copy.size_bytes, listed) - std::min(copy.size_bytes, listed) <= kForgiven;
  }

  /// A copy that we did not append was recognised by its header, or so the server says: only its
  /// bytes prove that the original is not the last of them.
  Task<void> compare_what_was_there() {
    const Comparison comparison{
        .forgiving = true, .munged_header = r_.target.traits().munges_8bit, .without_tuid = true};
    for (std::size_t at = 0; at < found_there_.size() && !r_.stop(); at += kBodiesAtOnce) {
      const auto begin = found_there_.begin() + static_cast<std::ptrdiff_t>(at);
      const std::size_t count = std::min(kBodiesAtOnce, found_there_.size() - at);
      std::vector<MessageRow> part(begin, begin + static_cast<std::ptrdiff_t>(count));
      std::vector<Catalogue::Entry> wanted;
      std::vector<Uid> copies;
      for (const MessageRow& row : part) {
        wanted.push_back(entry_of(row));
        if (copies.empty() || copies.back() != row.target_uid) copies.push_back(row.target_uid);
      }
      const auto here = co_await source_digests(r_.source, std::move(wanted), comparison);
      const auto there = co_await target_digests(r_.target, std::move(copies), comparison);
      others_ += std::erase_if(part, [&](const MessageRow& row) {
        const auto original = here.find(row.key);
        const auto copy = there.find(row.target_uid);
        return original == here.end() || copy == there.end() || original->second != copy->second;
      });
      for (const MessageRow& row : part) compared_.insert(row.key);
      co_await saw(std::move(part));
    }
    if (others_ > 0)
      note(Level::warning, std::to_string(others_) +
                               " messages stay at the source: what the target had in their place "
                               "has the same header, but is not the same byte for byte");
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
  /// and date together a UID is known, all else by its bytes, or by its header where nobody noted
  /// these.
  Task<void> check_names() {
    std::vector<Catalogue::Entry> by_bytes;
    std::vector<MessageKey> by_header;
    std::set<MessageKey> doubtful;
    for (const MessageRow& row : due_) {
      if (!may_be_another(row)) continue;
      doubtful.insert(row.key);
      if (row.sha256) {
        by_bytes.push_back(entry_of(row));
      } else if (!row.key.is_made_up() && row.header) {
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
    const std::size_t other = std::erase_if(due_, [&](const MessageRow& row) {
      if (!doubtful.contains(row.key)) return false;
      const auto digest = digests.find(row.key);
      const auto header = headers.find(row.key);
      const bool same_bytes = digest != digests.end() && row.sha256 == digest->second;
      const bool same_header = header != headers.end() && row.header == header->second &&
                               row.listed_bytes == listed_bytes(row);
      return !same_bytes && !same_header;
    });
    if (other > 0)
      note(Level::warning, std::to_string(other) +
                               " messages stay at the source: they cannot be proved to be those "
                               "that were copied under their names");
  }

  bool may_be_another(const MessageRow& row) const {
    if (compared_.contains(row.key)) return false;
    if (row.key.is_made_up()) return true;
    if (!row.key.is_uid()) return false;
    const std::optional<InternalDate> date = entry_of(row).date;
    const bool same_date = row.date && date && row.date->seconds == date->seconds;
    return row.listed_bytes != listed_bytes(row) || !same_date;
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
    if (r_.catalogue.by_uid()) co_return;
    std::set<std::uint64_t> sizes;
    for (const MessageRow& row : due_) sizes.insert(listed_bytes(row));
    std::vector<MessageKey> waiting;
    for (std::size_t i = 0; i < r_.standing.size(); ++i) {
      if (!has_crossed(r_.standing[i]) && sizes.contains(r_.catalogue.size_bytes(i)))
        waiting.push_back(r_.catalogue.key(i));
    }
    if (waiting.empty()) co_return;
    std::set<std::uint64_t> looks;
    for (const auto& [key, hash] : co_await read_headers(std::move(waiting))) looks.insert(hash);
    const std::size_t held = std::erase_if(
        due_, [&](const MessageRow& row) { return row.header && looks.contains(*row.header); });
    if (held > 0)
      note(Level::info, std::to_string(held) +
                            " messages stay at the source until others there that look the same "
                            "have crossed, too");
  }

  void leave_what_is_itself() {
    if (!r_.one_validity) return;
    const std::size_t left = std::erase_if(due_, may_be_itself);
    if (left > 0) leave(left, "have their UIDs and UIDVALIDITY");
  }

  void leave(std::size_t count, const std::string& why) const {
    note(Level::warning, std::to_string(count) +
                             " messages stay at the source: their copies were not made by "
                             "postferry and " +
                             why + ", so that source and target may be one mailbox");
  }

  /// Where there are no UIDs to tell that, one such message leaves first, and the others when its
  /// copy has stayed.
  Task<void> send_one() {
    if (r_.two_mailboxes) co_return;
    const MessageRow* one = nullptr;
    for (const MessageRow& row : due_) {
      if (!was_there(row) || row.key.is_uid()) continue;
      if (one == nullptr || listed_bytes(row) < listed_bytes(*one)) one = &row;
    }
    if (one == nullptr) co_return;
    if (listed_bytes(*one) > kHoldLimit / 2) {  // LIST may tell less than comes
      const std::size_t left = std::erase_if(due_, was_there);
      co_return leave(left, "are large");
    }
    const MessageRow row = *one;
    co_await r_.journal.set_state(r_.folder.id, {row.key}, MessageState::leaving);
    co_await r_.journal.make_durable();
    OneAhead tried = co_await send_one_ahead({r_.source, r_.target, r_.journal, r_.folder, r_.run,
                                              entry_of(row), row.target_uid});
    if (!tried.removal) {
      co_await r_.journal.set_state(r_.folder.id, {row.key}, MessageState::seen);
      const std::size_t left = std::erase_if(due_, was_there);
      co_return leave(left, "it cannot be tried whether they are others (" + tried.why + ")");
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
      note(Level::warning, std::to_string(refused) + " messages stay at the source, which said: " +
                               printable(removal.words));
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
  std::vector<MessageRow> found_there_;  // their copies are not ours
  std::set<MessageKey> compared_;        // with such copies, byte for byte, just now
  std::uint64_t others_ = 0;             // of these, that have other bytes
};

}  // namespace

Task<RemovalResult> remove_what_crossed(RemovalRequest request) {
  Remover remover(std::move(request));
  co_return co_await remover.run();
}

Task<std::uint64_t> count_removable(RemovableRequest r) {
  std::uint64_t count = 0;
  MessageKey after;
  for (;;) {
    const std::vector<MessageRow> rows =
        co_await r.journal.removable(r.folder, r.copied_until, after, kRowsAtOnce);
    if (rows.empty()) co_return count;
    after = rows.back().key;
    for (const MessageRow& row : rows) {
      const auto index = r.catalogue.find(row.key);
      const bool stays = !index || !has_crossed(r.standing[*index]) ||
                         r.unproved.contains(row.key) || (r.one_validity && may_be_itself(row));
      if (!stays) ++count;
    }
  }
}

}  // namespace postferry
