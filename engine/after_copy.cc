#include "engine/after_copy.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "engine/body_digests.h"
#include "engine/error.h"
#include "engine/fingerprint.h"
#include "engine/follow.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;
constexpr std::size_t kHeadersAtOnce = 500;

class Remover {
 public:
  explicit Remover(RemovalRequest request) : r_(std::move(request)) {}

  Task<RemovalResult> run() {
    co_await collect();
    co_await look_for_copies();
    leave_unproved();
    co_await check_names();
    co_await hold_back_equals();
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
        const Standing standing = r_.standing[*index];
        if (standing != Standing::present && standing != Standing::copied) continue;
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
    std::uint64_t missing =
        std::erase_if(unseen_, [](const MessageRow& row) { return !row.target_uid; });
    if (!unseen_.empty()) {
      std::ranges::sort(unseen_, {}, &MessageRow::target_uid);
      const std::vector<TargetEntry> there = co_await r_.target.look(unseen_.front().target_uid);
      std::vector<MessageKey> seen;
      for (MessageRow& row : unseen_) {
        const auto at = std::ranges::lower_bound(there, row.target_uid, {}, &TargetEntry::uid);
        if (at == there.end() || at->uid != row.target_uid || !is_copy_of(row, *at)) {
          ++missing;
          continue;
        }
        seen.push_back(row.key);
        if (row.copied_at <= r_.copied_until) due_.push_back(std::move(row));
      }
      if (!seen.empty())
        co_await r_.journal.set_state(r_.folder.id, std::move(seen), MessageState::seen);
    }
    if (missing > 0)
      note(Level::warning, std::to_string(missing) +
                               " messages stay at the source: their copies are not on the target "
                               "as they were copied");
  }

  void leave_unproved() {
    const std::size_t unproved = std::erase_if(
        due_, [this](const MessageRow& row) { return r_.unproved.contains(row.key); });
    if (unproved > 0)
      note(Level::warning, std::to_string(unproved) +
                               " messages stay at the source: it does not give their headers, so "
                               "that they cannot be proved to be those that were copied");
  }

  /// A name that the server did not give may belong to another message with the same header: then
  /// only its bytes prove that it is the one that was copied.
  Task<void> check_names() {
    std::vector<Catalogue::Entry> wanted;
    for (const MessageRow& row : due_)
      if (row.key.is_made_up()) wanted.push_back(r_.catalogue[*r_.catalogue.find(row.key)]);
    if (wanted.empty()) co_return;
    const auto digests = co_await source_digests(
        r_.source, std::move(wanted), {.forgiving = false, .munged_header = false});
    const std::size_t other = std::erase_if(due_, [&](const MessageRow& row) {
      if (!row.key.is_made_up()) return false;
      const auto digest = digests.find(row.key);
      return digest == digests.end() || row.sha256 != digest->second;
    });
    if (other > 0)
      note(Level::warning, std::to_string(other) +
                               " messages stay at the source: it has no names for them, and they "
                               "cannot be proved to be those that were copied");
  }

  /// Of equal messages none leaves before all have crossed: were the answer lost, one that stayed
  /// would pass for the one that left, under another name, and go without a copy.
  Task<void> hold_back_equals() {
    if (r_.catalogue.by_uid()) co_return;
    std::set<std::uint64_t> sizes;
    for (const MessageRow& row : due_) sizes.insert(listed_bytes(row));
    std::vector<MessageKey> waiting;
    for (std::size_t i = 0; i < r_.standing.size(); ++i) {
      const bool crossed =
          r_.standing[i] == Standing::present || r_.standing[i] == Standing::copied;
      if (!crossed && sizes.contains(r_.catalogue.size_bytes(i)))
        waiting.push_back(r_.catalogue.key(i));
    }
    if (waiting.empty()) co_return;
    std::set<std::uint64_t> looks;
    for (std::size_t at = 0; at < waiting.size(); at += kHeadersAtOnce) {
      const auto end = std::min(at + kHeadersAtOnce, waiting.size());
      std::vector<MessageKey> part(waiting.begin() + static_cast<std::ptrdiff_t>(at),
                                   waiting.begin() + static_cast<std::ptrdiff_t>(end));
      for (const HeaderEntry& header : co_await r_.source.headers(std::move(part)))
        looks.insert(header_hash(header.fields));
    }
    const std::size_t held = std::erase_if(
        due_, [&](const MessageRow& row) { return row.header && looks.contains(*row.header); });
    if (held > 0)
      note(Level::info, std::to_string(held) +
                            " messages stay at the source until others there that look the same "
                            "have crossed, too");
  }

  std::uint64_t listed_bytes(const MessageRow& row) const {
    return r_.catalogue.size_bytes(*r_.catalogue.find(row.key));
  }

  Task<void> remove() {
    if (due_.empty()) co_return;
    std::vector<MessageKey> keys;
    for (const MessageRow& row : due_) keys.push_back(row.key);
    co_await r_.journal.set_state(r_.folder.id, keys, MessageState::leaving);
    co_await r_.journal.make_durable();
    Removal removal = co_await r_.source.remove(keys);
    result_.session_over = removal.session_over;
    if (removal.how == Removal::How::unknown)
      throw Error(ErrorKind::transient,
                  "the source does not say that it removed what it was asked to: " + removal.words,
                  "folder " + r_.folder.source.to_string());
    result_.removed = removal.keys.size();
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
};

}  // namespace

Task<RemovalResult> remove_what_crossed(RemovalRequest request) {
  Remover remover(std::move(request));
  co_return co_await remover.run();
}

}  // namespace postferry
