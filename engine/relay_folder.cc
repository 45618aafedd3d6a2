#include "engine/relay_folder.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "engine/async/channel.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/body_digests.h"
#include "engine/fingerprint.h"
#include "engine/recognise.h"
#include "engine/transfer.h"

namespace postferry {

namespace {

constexpr std::size_t kRowsAtOnce = 4000;

enum class Fate : std::uint8_t {
  due,
  waiting,   // put off: its time has not come
  present,   // handed over by an earlier run
  sent,      // by this one
  filtered,  // left out by the user's options
  rejected,
  accepted,  // refused before, and settled by the user
  vanished,
  unknown,
};

/// Between one fetch and the lanes. Holds as many messages as there are lanes.
class Counter final : public MessageSink {
 public:
  using Missing = std::function<Task<void>(MessageKey, bool, std::string)>;
  Counter(std::size_t lanes, std::function<bool()> stop, std::function<bool()> stop_at_once,
          Missing missing)
      : channel_(lanes),
        stop_(std::move(stop)),
        stop_at_once_(std::move(stop_at_once)),
        missing_(std::move(missing)) {}

  Task<void> message(Message message) override {
    // What a stream would bring has not been fetched yet.
    const bool streamed = message.body.streamed();
    if (stop_at_once_() || (streamed && stop_())) throw StopTransfer{};
    Message copy = message;  // shares the body
    const bool taken = co_await channel_.push(std::move(message));
    if (!taken) give_up(copy);
    if (!taken || (!streamed && stop_())) throw StopTransfer{};
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    co_await missing_(std::move(key), gone, std::move(reason));
  }

  Task<std::optional<Message>> next() { return channel_.pop(); }
  void close() { channel_.close(); }
  /// Nobody reads any more: what is here or comes is given up, so that the source does not wait.
  void abandon() {
    channel_.close();
    while (const std::optional<Message> message = channel_.try_pop()) give_up(*message);
  }
  static void give_up(const Message& message) {
    if (message.body.streamed()) message.body.pipe().close();
  }

 private:
  Channel<Message> channel_;
  std::function<bool()> stop_, stop_at_once_;
  Missing missing_;
};

class FolderRelay {
 public:
  FolderRelay(RelayFolderRequest request, RelayFolderResult& result)
      : r_(std::move(request)), result_(result), at_once_(r_.at_once) {}

  Task<void> run() {
    r_.tally.messages = r_.windows.messages();
    bytes_sent_ = r_.windows.bytes_copied();
    record_ = co_await r_.ends.journal.folder(r_.account, r_.folder, relay_target());
    Opened opened = co_await r_.source.open_with_catalogue(r_.folder);
    begun_ = opened.numbers;
    catalogue_ = std::move(opened.catalogue);
    if (!catalogue_.remark.empty()) note(Level::warning, catalogue_.remark);
    fates_.assign(catalogue_.size(), Fate::due);
    count();
    if (catalogue_.by_uid()) {
      co_await check_keys();
    } else {
      co_await recognise(
          {r_.source, nullptr, r_.ends.journal, r_.ends.observer, catalogue_, record_});
    }
    co_await join_rows();
    co_await join_failures();
    filter();
    if (r_.condemned) co_await give_up(*r_.condemned);
    count();
    plan();
    if (r_.options.dry_run) co_return;
    while (due() > 0 && !over()) {
      const std::size_t before = due();
      co_await transfer();
      handled_ += before - due();
      if (result_.stopped) break;
      if (due() >= before && !r_.lanes.halted() && !retried_) break;
      if (at_once_ < fates_.size()) at_once_ *= 2;  // it went well
    }
    result_.stopped = result_.stopped || (due() > 0 && over());
    co_await finish();
    if (!result_.stopped && !catalogue_.by_uid())
      result_.more_windows =
          r_.windows.take(catalogue_, {catalogue_.size(), known_, handled_, r_.source.windowed()},
                          r_.tally.messages, bytes_sent_);
  }

 private:
  bool over() const { return r_.lanes.halted() || r_.stop(); }
  bool over_at_once() const { return r_.lanes.halted() || r_.give_up(); }

  // --- what is known

  template <class Take>
  Task<void> for_each_row(Take take) {
    MessageKey after;
    for (;;) {
      std::vector<MessageRow> rows = co_await r_.ends.journal.rows(record_.id, after, kRowsAtOnce);
      if (rows.empty()) co_return;
      after = rows.back().key;
      for (MessageRow& row : rows) take(row);
    }
  }

  /// UIDs that no longer mean what they meant: there is nothing to look at on the target, so the
  /// bytes of what was handed over say which of these messages it was.
  Task<void> check_keys() {
    const bool told = begun_.uid_validity.has_value();
    bool moved =
        told && record_.source_uid_validity && record_.source_uid_validity != begun_.uid_validity;
    std::vector<MessageRow> rows;
    co_await for_each_row([this, &moved, &rows](MessageRow& row) {
      const auto index = catalogue_.find(row.key);
      const bool never_given = !index && begun_.uid_next && row.key.uid() >= Uid{*begun_.uid_next};
      moved = moved || never_given || (index && is_another(row, catalogue_[*index]));
      rows.push_back(std::move(row));
    });
    if (moved && !rows.empty()) {
      note(Level::warning,
           "recorded UIDs name other messages at the source now; what was handed "
           "over is known by its bytes");
      co_await move_rows(std::move(rows));
    } else if (told && record_.source_uid_validity != begun_.uid_validity && !r_.options.dry_run) {
      Record record = new_record();
      record.source_uid_validity = begun_.uid_validity;
      co_await r_.ends.journal.record(std::move(record));
    }
  }

  static bool is_another(const MessageRow& row, const Catalogue::Entry& entry) {
    const bool same_date = row.date && entry.date && row.date->seconds == entry.date->seconds;
    return row.listed_bytes && *row.listed_bytes != entry.size_bytes && !same_date;
  }

  Task<void> move_rows(std::vector<MessageRow> rows) {
    std::multimap<Sha256, MessageRow> by_bytes;
    std::set<std::uint64_t> sizes;
    Record record = new_record();
    for (MessageRow& row : rows) {
      record.forget.push_back(row.key);
      if (!row.sha256) continue;
      sizes.insert(row.listed_bytes.value_or(row.size_bytes));
      by_bytes.emplace(*row.sha256, std::move(row));
    }
    std::vector<Catalogue::Entry> wanted;
    for (std::size_t i = 0; i < catalogue_.size(); ++i)
      if (sizes.contains(catalogue_.size_bytes(i))) wanted.push_back(catalogue_[i]);
    const std::map<MessageKey, Sha256> digests = co_await source_digests(
        r_.source, std::move(wanted), {.ignore_final_crlf = false, .munged_header = false});
    for (const auto& [key, digest] : digests) {
      const auto at = by_bytes.find(digest);
      if (at == by_bytes.end()) continue;
      MessageRow row = std::move(at->second);
      by_bytes.erase(at);
      const auto index = catalogue_.find(key);
      row.key = key;
      row.listed_bytes = catalogue_.size_bytes(*index);
      row.date = catalogue_[*index].date;
      moved_.push_back(row);
      record.rows.push_back(std::move(row));
    }
    rows_are_moved_ = true;
    record.source_uid_validity = begun_.uid_validity;
    if (!r_.options.dry_run) co_await r_.ends.journal.record(std::move(record));
  }

  void join(const MessageRow& row) {
    const auto index = catalogue_.find(row.key);
    if (!index) return;
    if (row.state == MessageState::unknown) {
      doubtful_.insert(row.key);
      fates_[*index] = r_.options.resend_unknown && row.run != r_.run ? Fate::due : Fate::unknown;
      return;
    }
    ++known_;
    const bool ours = row.run == r_.run;
    fates_[*index] = ours ? Fate::sent : Fate::present;
    if (ours && !r_.windows.shown(row.key)) bytes_sent_ += row.size_bytes;
  }

  Task<void> join_rows() {
    if (rows_are_moved_) {
      for (const MessageRow& row : moved_) join(row);
    } else {
      co_await for_each_row([this](const MessageRow& row) { join(row); });
    }
  }

  Task<void> join_failures() {
    const std::int64_t now = unix_time((co_await current_scope()).executor());
    std::vector<MessageKey> gone;
    for (FailureRow& row : co_await r_.ends.journal.failures(record_.id)) {
      const auto index = catalogue_.find(row.key);
      if (!index) {
        if (!r_.source.windowed()) gone.push_back(std::move(row.key));
        continue;
      }
      if (fates_[*index] != Fate::due) continue;
      if (row.accepted) {
        fates_[*index] = Fate::accepted;
      } else if (row.due_at) {
        const bool tried = row.run == r_.run;
        if (tried || (*row.due_at > now && !r_.options.only_failed)) fates_[*index] = Fate::waiting;
        failed_before_.emplace(*index, std::move(row));
      } else if (row.run == r_.run) {
        fates_[*index] = Fate::rejected;
      } else {
        failed_before_.emplace(*index, std::move(row));
      }
    }
    if (!gone.empty() && !r_.options.dry_run)
      co_await r_.ends.journal.forget(record_.id, std::move(gone));
    if (!r_.options.only_failed) co_return;
    for (std::size_t i = 0; i < fates_.size(); ++i) {
      const bool failed = failed_before_.contains(i) || doubtful_.contains(catalogue_.key(i));
      if (fates_[i] == Fate::due && !failed) fates_[i] = Fate::filtered;
    }
  }

  void filter() {
    for (std::size_t i = 0; i < fates_.size(); ++i) {
      if (fates_[i] != Fate::due) continue;
      const Catalogue::Entry entry = catalogue_[i];
      if (!r_.options.wants(entry.size_bytes, entry.date)) fates_[i] = Fate::filtered;
    }
  }

  void plan() const {
    std::uint64_t messages = 0, bytes = 0;
    for (std::size_t i = 0; i < fates_.size(); ++i) {
      if (fates_[i] != Fate::due) continue;
      ++messages;
      bytes += catalogue_.size_bytes(i);
    }
    r_.ends.observer.folder_planned(r_.folder, catalogue_.size(), messages, bytes);
  }

  std::size_t due() const {
    return static_cast<std::size_t>(std::ranges::count(fates_, Fate::due));
  }

  // --- the work

  /// Those that failed before come last: what has never been tried must not wait for them.
  std::vector<Catalogue::Entry> due_entries() const {
    std::vector<Catalogue::Entry> out;
    for (const bool failed : {false, true})
      for (std::size_t i = 0; i < fates_.size() && out.size() < at_once_; ++i)
        if (fates_[i] == Fate::due && failed_before_.contains(i) == failed)
          out.push_back(catalogue_[i]);
    return out;
  }

  Task<void> transfer() {
    const std::vector<Catalogue::Entry> wanted = due_entries();
    retried_ = false;
    Counter counter(
        r_.lanes.size(), [this] { return over(); }, [this] { return over_at_once(); },
        [this](MessageKey key, bool gone, std::string reason) {
          return missing(std::move(key), gone, std::move(reason));
        });
    std::exception_ptr source_failure;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(fetch(counter, wanted, source_failure));
      co_await with_group([&](TaskGroup& workers) -> Task<void> {
        for (std::size_t lane = 0; lane < r_.lanes.size(); ++lane)
          workers.spawn(work(counter, lane));
        co_await workers.join();
      });
      counter.abandon();
      co_await group.join();
    });
    count();
    if (!source_failure) co_return;
    for (const Catalogue::Entry& entry : wanted) {
      if (fates_[*catalogue_.find(entry.key)] != Fate::due) continue;
      if (result_.under_way.messages++ == 0) result_.under_way.first = entry.key;
    }
    std::rethrow_exception(source_failure);
  }

  Task<void> fetch(Counter& counter, std::vector<Catalogue::Entry> wanted,
                   std::exception_ptr& failure) {
    try {
      co_await r_.source.fetch(std::move(wanted), counter);
    } catch (const StopTransfer&) {
      result_.stopped = true;
    } catch (const Error&) {
      failure = std::current_exception();
    }
    counter.close();
  }

  Task<void> work(Counter& counter, std::size_t lane) {
    for (;;) {
      // A lane without a session takes nothing off the counter.
      const RelaySession* session = co_await r_.lanes.session(lane);
      if (session == nullptr) co_return;
      std::optional<Message> message = co_await counter.next();
      if (!message) co_return;
      if (over_at_once()) {
        Counter::give_up(*message);
        co_return;
      }
      co_await hand_over(lane, std::move(*message));
    }
  }

  Task<void> hand_over(std::size_t lane, Message message) {
    const auto index = catalogue_.find(message.key);
    const bool wanted = index && fates_[*index] == Fate::due && r_.options.wants(0, message.date);
    if (!wanted) {
      if (index && fates_[*index] == Fate::due) fates_[*index] = Fate::filtered;
      Counter::give_up(message);
      co_return;
    }
    const bool whole = co_await make_replayable(message);
    if (!whole) co_return;  // the source died; it says so itself
    const MessageRow row = co_await row_for(message);
    co_await write_intent(row);
    const std::optional<RelayResult> result = co_await r_.lanes.send(lane, message);
    retried_ = retried_ || !result;
    co_await conclude(row, *index, result);
  }

  /// The bytes must be known before they go out: only so can they be known again.
  Task<bool> make_replayable(Message& message) {
    if (!message.body.streamed()) co_return true;
    const std::unique_ptr<SpoolWriter> writer = co_await r_.ends.spool.open();
    std::exception_ptr failure;
    try {
      co_await message.body.write_to([&writer](std::string_view bytes) -> Task<void> {
        co_await writer->append(std::string(bytes));
      });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::transient)
        failure = std::current_exception();
      else
        co_return false;
    }
    if (failure) {
      Counter::give_up(message);
      std::rethrow_exception(failure);
    }
    message.body = Body(writer->finish());
    co_return true;
  }

  Task<MessageRow> row_for(const Message& message) {
    MessageRow row;
    row.key = message.key;
    row.size_bytes = message.body.size_bytes();
    row.flags = message.flags;
    row.date = message.date;
    row.run = r_.run;
    row.copied_at = unix_time((co_await current_scope()).executor());
    row.state = MessageState::unknown;
    if (message.fields) row.header = header_hash(*message.fields);
    row.listed_bytes = catalogue_.size_bytes(*catalogue_.find(message.key));
    Digest digest;
    co_await message.body.write_to([&digest](std::string_view bytes) -> Task<void> {
      digest.update(bytes);
      co_return;
    });
    row.sha256 = digest.finish();
    co_return row;
  }

  Record new_record() const {
    Record record;
    record.folder = record_.id;
    record.target_folder = record_.target_folder;
    return record;
  }

  /// On the disk before a byte of it goes out; lanes that ask at the same time share one fsync.
  Task<void> write_intent(const MessageRow& row) {
    Record record = new_record();
    record.rows.push_back(row);
    // A failure of this message stays in the journal until it has crossed.
    const auto failed = failed_before_.find(*catalogue_.find(row.key));
    if (failed != failed_before_.end()) record.failures.push_back(failed->second);
    co_await r_.ends.journal.record(std::move(record));
    co_await r_.ends.journal.make_durable();
  }

  /// Runs to its end whatever is cancelled: the server has spoken.
  Task<void> conclude(MessageRow row, std::size_t index, std::optional<RelayResult> result) {
    Record record = new_record();
    Fate fate = Fate::due;
    std::uint64_t sent = 0;
    // The server that refuses it now may have taken it before.
    const bool doubtful = doubtful_.contains(row.key);
    if (!result) {
      if (!doubtful) forget_intent(record, row, index);
    } else if (std::holds_alternative<Delivered>(*result)) {
      row.state = MessageState::copied;
      sent = row.size_bytes;
      record.rows.push_back(row);
      fate = Fate::sent;
    } else if (const auto* lost = std::get_if<Undecided>(&*result)) {
      note(Level::warning, row.key.to_string() + ": " + lost->text +
                               "; it may have been delivered, and is not sent again by itself");
      fate = Fate::unknown;
    } else if (doubtful) {
      fate = Fate::unknown;
    } else {
      fate = co_await fail(record, row, index, *result);
    }
    co_await shielded(r_.ends.journal.record(std::move(record)));
    fates_[index] = fate;
    bytes_sent_ += sent;
    result_.progressed = result_.progressed || fate != Fate::due;
    if (sent > 0 || fate == Fate::sent) r_.ends.observer.copied(r_.folder, 1, sent);
  }

  void forget_intent(Record& record, const MessageRow& row, std::size_t index) const {
    record.forget.push_back(row.key);
    const auto failed = failed_before_.find(index);
    if (failed != failed_before_.end()) record.failures.push_back(failed->second);
  }

  /// A message that was refused, for good or for now.
  Task<Fate> fail(Record& record, const MessageRow& row, std::size_t index,
                  const RelayResult& result) {
    const std::int64_t now = unix_time((co_await current_scope()).executor());
    FailureRow failure{row.key, row.size_bytes, {}, r_.run};
    record.forget.push_back(row.key);
    Fate fate = Fate::rejected;
    if (const auto* refused = std::get_if<Refused>(&result)) {
      failure.text = refused->text;
    } else {
      const auto before = failed_before_.find(index);
      const bool again = before != failed_before_.end() && before->second.due_at;
      failure.text = std::get<Deferred>(result).text;
      failure.tries = again ? before->second.tries + 1 : 1;
      failure.deferred_since = again ? before->second.deferred_since : now;
      failure.due_at = due_again(failure.tries, failure.deferred_since, now);
      if (failure.due_at) fate = Fate::waiting;
      note(Level::info, row.key.to_string() + " is put off: " + failure.text);
    }
    failed_before_.insert_or_assign(index, failure);
    record.failures.push_back(std::move(failure));
    co_return fate;
  }

  Task<void> missing(MessageKey key, bool gone, std::string reason) {
    const auto index = catalogue_.find(key);
    if (!index || fates_[*index] != Fate::due) co_return;
    fates_[*index] = gone ? Fate::vanished : Fate::rejected;
    result_.progressed = true;
    if (gone) co_return;
    Record record = new_record();
    record.failures.push_back({key, catalogue_.size_bytes(*index), "source: " + reason, r_.run});
    co_await r_.ends.journal.record(std::move(record));
  }

  Task<void> give_up(Condemned message) {
    const auto index = catalogue_.find(message.key);
    if (!index || fates_[*index] != Fate::due) co_return;
    Record record = new_record();
    record.failures.push_back({message.key, catalogue_.size_bytes(*index), message.words, r_.run});
    co_await r_.ends.journal.record(std::move(record));
    fates_[*index] = Fate::rejected;
    note(Level::warning, message.key.to_string() + " is passed by: " + message.words);
  }

  // --- the account

  void count() {
    Tally tally = r_.windows.messages();
    for (std::size_t i = 0; i < fates_.size(); ++i) {
      if (!r_.windows.first() && r_.windows.shown(catalogue_.key(i))) continue;
      ++tally.seen;
      switch (fates_[i]) {
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
    r_.tally.messages = tally;
    r_.tally.bytes_copied = bytes_sent_;
  }

  Task<void> finish() {
    count();
    const Tally& tally = r_.tally.messages;
    const bool whole = tally.pending == 0 && tally.rejected == 0 && tally.unknown == 0;
    co_await r_.ends.journal.complete(record_.id, whole ? std::optional(begun_) : std::nullopt,
                                      r_.options.selection_hash(), tally.present + tally.copied);
  }

  void note(Level level, const std::string& text) const {
    r_.ends.observer.note(level, "folder " + r_.folder.to_string() + ": " + text);
  }

  RelayFolderRequest r_;
  RelayFolderResult& result_;
  std::size_t at_once_;  // most messages to ask for together
  FolderRecord record_;
  FolderNumbers begun_;
  Catalogue catalogue_;
  std::vector<Fate> fates_;
  std::vector<MessageRow> moved_;
  bool rows_are_moved_ = false;
  std::set<MessageKey> doubtful_;  // unknown since an earlier attempt
  std::map<std::size_t, FailureRow> failed_before_;
  std::uint64_t bytes_sent_ = 0;
  std::size_t known_ = 0, handled_ = 0;
  bool retried_ = false;  // a lane lost its line in this transfer
};

}  // namespace

FolderName relay_target() { return FolderName::parse("INBOX"); }

Task<void> relay_folder(RelayFolderRequest request, RelayFolderResult& result) {
  FolderRelay folder(std::move(request), result);
  co_await folder.run();
}

}  // namespace postferry
