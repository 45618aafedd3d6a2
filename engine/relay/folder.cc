#include "engine/relay/folder.h"

#include <exception>
#include <utility>

#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/fingerprint.h"
#include "engine/relay/counter.h"
#include "engine/relay/fates.h"

namespace postferry {

namespace {

class FolderRelay {
 public:
  FolderRelay(RelayFolderRequest request, RelayFolderResult& result)
      : r_(std::move(request)),
        result_(result),
        at_once_(r_.at_once),
        f_(r_.ends, r_.source, r_.options, r_.windows, r_.run) {}

  Task<void> run() {
    r_.tally.messages = r_.windows.messages();
    bytes_sent_ = r_.windows.bytes_copied();
    FolderRecord folder = co_await r_.ends.journal.folder(r_.account, r_.folder, relay_target());
    f_.list(std::move(folder), co_await r_.source.open_with_catalogue(r_.folder));
    if (!f_.catalogue.remark.empty()) note(Level::warning, f_.catalogue.remark);
    count();
    co_await f_.join();
    bytes_sent_ += f_.bytes_before;
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
      if (at_once_ < f_.fates.size()) at_once_ *= 2;  // it went well
    }
    result_.stopped = result_.stopped || (due() > 0 && over());
    co_await finish();
    if (!f_.catalogue.by_uid())
      result_.more_windows = r_.windows.take(
          f_.catalogue,
          {f_.catalogue.size(), f_.known, handled_, r_.source.windowed(), r_.source.shows_all()},
          r_.tally.messages, bytes_sent_);
  }

 private:
  bool over() const { return r_.lanes.halted() || r_.stop(); }
  bool over_at_once() const { return r_.lanes.halted() || r_.give_up(); }

  void plan() const {
    std::uint64_t messages = 0, bytes = 0;
    for (std::size_t i = 0; i < f_.fates.size(); ++i) {
      if (f_.fates[i] != Fate::due) continue;
      ++messages;
      bytes += f_.catalogue.size_bytes(i);
    }
    r_.ends.observer.folder_planned(r_.folder, f_.catalogue.size(), messages, bytes);
  }

  std::size_t due() const { return f_.due(); }

  // --- the work

  Task<void> transfer() {
    const std::vector<Catalogue::Entry> wanted = f_.due_entries(at_once_);
    retried_ = false;
    RelayCounter counter(
        r_.lanes.size(), [this] { return over(); }, [this] { return over_at_once(); },
        [this](MessageKey key, bool gone, std::string reason) {
          return missing(std::move(key), gone, std::move(reason));
        },
        [this] { r_.windows.tell_crawl(r_.ends.observer, r_.folder); });
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
      if (f_.fates[*f_.catalogue.find(entry.key)] != Fate::due) continue;
      if (result_.under_way.messages++ == 0) result_.under_way.first = entry.key;
    }
    std::rethrow_exception(source_failure);
  }

  Task<void> fetch(RelayCounter& counter, std::vector<Catalogue::Entry> wanted,
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

  Task<void> work(RelayCounter& counter, std::size_t lane) {
    for (;;) {
      // A lane without a session takes nothing off the counter.
      const RelaySession* session = co_await r_.lanes.session(lane);
      if (session == nullptr) co_return;
      std::optional<Message> message = co_await counter.next();
      if (!message) co_return;
      if (over_at_once()) {
        RelayCounter::give_up(*message);
        co_return;
      }
      co_await hand_over(lane, std::move(*message));
    }
  }

  Task<void> hand_over(std::size_t lane, Message message) {
    const auto index = f_.catalogue.find(message.key);
    const bool wanted = index && f_.fates[*index] == Fate::due && r_.options.wants(0, message.date);
    if (!wanted) {
      const bool due = index && f_.fates[*index] == Fate::due;
      if (due) f_.fates[*index] = Fate::filtered;
      RelayCounter::give_up(message);
      if (due && !f_.catalogue[*index].date) co_await leave_out(message);
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

  /// The listing does not tell its date: it must not be fetched again for that.
  Task<void> leave_out(const Message& message) {
    Record record = f_.new_record();
    MessageRow& row = record.rows.emplace_back(co_await row_without_bytes(message));
    row.origin = Origin::adopted;
    row.state = MessageState::left_out;
    co_await r_.ends.journal.record(std::move(record));
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
      RelayCounter::give_up(message);
      std::rethrow_exception(failure);
    }
    message.body = Body(writer->finish());
    co_return true;
  }

  Task<MessageRow> row_for(const Message& message) {
    MessageRow row = co_await row_without_bytes(message);
    Digest digest;
    co_await message.body.write_to([&digest](std::string_view bytes) -> Task<void> {
      digest.update(bytes);
      co_return;
    });
    row.sha256 = digest.finish();
    co_return row;
  }

  Task<MessageRow> row_without_bytes(const Message& message) {
    MessageRow row;
    row.key = message.key;
    row.size_bytes = message.body.size_bytes();
    row.flags = message.flags;
    row.date = message.date;
    row.run = r_.run;
    row.copied_at = unix_time((co_await current_scope()).executor());
    row.state = MessageState::unknown;
    if (message.fields) row.header = header_hash(*message.fields);
    row.listed_bytes = f_.catalogue.size_bytes(*f_.catalogue.find(message.key));
    co_return row;
  }

  /// On the disk before a byte of it goes out; lanes that ask at the same time share one fsync.
  Task<void> write_intent(const MessageRow& row) {
    Record record = f_.new_record();
    record.rows.push_back(row);
    // A failure of this message stays in the journal until it has crossed.
    const auto failed = f_.failed_before.find(*f_.catalogue.find(row.key));
    if (failed != f_.failed_before.end()) record.failures.push_back(failed->second);
    co_await r_.ends.journal.record(std::move(record));
    co_await r_.ends.journal.make_durable();
  }

  /// Runs to its end whatever is cancelled: the server has spoken.
  Task<void> conclude(MessageRow row, std::size_t index, std::optional<RelayResult> result) {
    Record record = f_.new_record();
    Fate fate = Fate::due;
    std::uint64_t sent = 0;
    // The server that refuses it now may have taken it before.
    const bool doubtful = f_.doubtful.contains(row.key);
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
    f_.fates[index] = fate;
    bytes_sent_ += sent;
    result_.progressed = result_.progressed || fate != Fate::due;
    if (sent > 0 || fate == Fate::sent) r_.ends.observer.copied(r_.folder, 1, sent);
  }

  void forget_intent(Record& record, const MessageRow& row, std::size_t index) const {
    record.forget.push_back(row.key);
    const auto failed = f_.failed_before.find(index);
    if (failed != f_.failed_before.end()) record.failures.push_back(failed->second);
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
      const auto before = f_.failed_before.find(index);
      const bool again = before != f_.failed_before.end() && before->second.due_at;
      failure.text = std::get<Deferred>(result).text;
      failure.tries = again ? before->second.tries + 1 : 1;
      failure.deferred_since = again ? before->second.deferred_since : now;
      failure.due_at = due_again(failure.tries, failure.deferred_since, now);
      if (failure.due_at) fate = Fate::waiting;
      note(Level::info, row.key.to_string() + " is put off: " + failure.text);
    }
    f_.failed_before.insert_or_assign(index, failure);
    record.failures.push_back(std::move(failure));
    co_return fate;
  }

  Task<void> missing(MessageKey key, bool gone, std::string reason) {
    const auto index = f_.catalogue.find(key);
    if (!index || f_.fates[*index] != Fate::due) co_return;
    f_.fates[*index] = gone ? Fate::vanished : Fate::rejected;
    result_.progressed = true;
    if (gone) co_return;
    Record record = f_.new_record();
    record.failures.push_back({key, f_.catalogue.size_bytes(*index), "source: " + reason, r_.run});
    co_await r_.ends.journal.record(std::move(record));
  }

  Task<void> give_up(Condemned message) {
    const auto index = f_.catalogue.find(message.key);
    if (!index || f_.fates[*index] != Fate::due) co_return;
    Record record = f_.new_record();
    record.failures.push_back(
        {message.key, f_.catalogue.size_bytes(*index), message.words, r_.run});
    co_await r_.ends.journal.record(std::move(record));
    f_.fates[*index] = Fate::rejected;
    note(Level::warning, message.key.to_string() + " is passed by: " + message.words);
  }

  // --- the account

  void count() {
    r_.tally.messages = f_.tally();
    r_.tally.bytes_copied = bytes_sent_;
  }

  Task<void> finish() {
    count();
    const Tally& tally = r_.tally.messages;
    const bool whole = tally.pending == 0 && tally.rejected == 0 && tally.unknown == 0;
    co_await r_.ends.journal.complete(f_.folder.id, whole ? std::optional(f_.begun) : std::nullopt,
                                      r_.options.selection_hash(), tally.present + tally.copied);
  }

  void note(Level level, const std::string& text) const {
    r_.ends.observer.note(level, "folder " + r_.folder.to_string() + ": " + text);
  }

  RelayFolderRequest r_;
  RelayFolderResult& result_;
  std::size_t at_once_;  // most messages to ask for together
  RelayFates f_;
  std::uint64_t bytes_sent_ = 0;
  std::size_t handled_ = 0;
  bool retried_ = false;  // a lane lost its line in this transfer
};

}  // namespace

FolderName relay_target() { return FolderName::parse("INBOX"); }

Task<void> relay_folder(RelayFolderRequest request, RelayFolderResult& result) {
  FolderRelay folder(std::move(request), result);
  co_await folder.run();
}

}  // namespace postferry
