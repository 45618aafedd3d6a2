#include "engine/crossing/transfer.h"

#include <algorithm>

#include "engine/async/scope.h"
#include "engine/async/timeout.h"
#include "engine/fingerprint.h"

namespace postferry {

namespace {

/// What a streamed body holds at a time: its pipe's chunks.
constexpr std::uint64_t kStreamWeight = 512 << 10;
/// A batch that is not full goes out when nothing has come for so long.
constexpr std::chrono::milliseconds kPatience{500};

std::uint64_t weight(const Message& message) {
  return kMessageWeight + (message.body.held() ? message.body.size_bytes() : kStreamWeight);
}

}  // namespace

Transfer::Transfer(TransferRequest request) : r_(std::move(request)) {
  if (r_.target_uid_next) highest_ = Uid{r_.target_uid_next.value - 1};
  if (!r_.pace) return;
  const auto second = static_cast<std::size_t>(std::max(1.0, r_.pace->per_second()));
  r_.traits.batch_messages = std::min(r_.traits.batch_messages, second);
}

Task<void> Transfer::message(Message message) {
  // What a stream would bring has not been fetched yet.
  const bool streamed = message.body.streamed();
  if (r_.give_up() || (streamed && r_.stop())) throw StopTransfer{};
  if (!r_.wanted(message)) {
    if (streamed) message.body.pipe().close();
    co_return co_await leave_out(message);
  }
  if (!r_.share.admits(weight(message))) waiting();
  co_await r_.share.admit(weight(message));
  source_waits_ = false;
  held_ += weight(message);
  belt_.push_back(std::move(message));
  arrived_.set();
  if (!streamed && r_.stop()) throw StopTransfer{};
}

/// Where the listing has no dates, what is not wanted must not be fetched again to be told.
Task<void> Transfer::leave_out(const Message& message) {
  const auto index = r_.catalogue.find(message.key);
  if (!index) co_return;
  r_.standing[*index] = Standing::filtered;
  if (r_.catalogue[*index].date) co_return;
  MessageRow row = co_await row_for(message, Uid{});
  row.origin = Origin::adopted;
  row.state = MessageState::left_out;
  Record record;
  record.folder = r_.folder.id;
  record.target_folder = r_.target_folder;
  record.rows.push_back(std::move(row));
  co_await r_.journal.record(std::move(record));
}

Task<void> Transfer::missing(MessageKey key, bool gone, std::string reason) {
  const auto index = r_.catalogue.find(key);
  if (!index || r_.standing[*index] != Standing::due) co_return;
  ++missing_;
  r_.standing[*index] = gone ? Standing::vanished : Standing::rejected;
  if (gone) co_return;
  Record record;
  record.folder = r_.folder.id;
  record.target_folder = r_.target_folder;
  record.failures.push_back(
      {key, r_.catalogue.size_bytes(*index), std::string(kSourceFailed) + reason, r_.run});
  co_await r_.journal.record(std::move(record));
}

/// False when nothing more can or will come before the waiting batch is answered.
Task<bool> Transfer::wait_for_more() {
  if (closed_ || source_waits_) co_return false;
  arrived_.reset();
  try {
    co_await with_timeout(kPatience, arrived_.wait());
  } catch (const TimedOut&) {
    co_return false;
  }
  co_return !belt_.empty();
}

Task<std::optional<Batch>> Transfer::next() {
  Batch batch;
  batch.origin = r_.origin;
  while (belt_.empty() || r_.give_up()) {
    if (closed_ || r_.give_up()) co_return std::nullopt;
    arrived_.reset();
    co_await arrived_.wait();
  }
  while (batch.messages.size() < r_.traits.batch_messages) {
    if (belt_.empty()) {
      const bool more = co_await wait_for_more();
      if (!more) break;
    }
    const Message& head = belt_.front();
    const std::uint64_t size = head.body.size_bytes();
    const bool first = batch.messages.empty();
    if (!first && (!head.body.held() || batch.bytes + size > r_.traits.batch_bytes)) break;
    const bool alone = !head.body.held();
    batch.bytes += size;
    batch.messages.push_back(std::move(belt_.front()));
    belt_.pop_front();
    if (alone) break;
  }
  if (r_.pace) {
    co_await r_.pace->take(static_cast<double>(batch.messages.size()));
    if (r_.give_up()) co_return std::nullopt;
  }
  OpenBatch row;
  row.folder = r_.folder.id;
  row.uid_validity = r_.target_uid_validity;
  row.uid_next = r_.target_uid_next;
  row.run = r_.run;
  Executor& executor = (co_await current_scope()).executor();
  row.opened_at = unix_time(executor);
  for (const Message& message : batch.messages) {
    row.keys.push_back(message.key);
    row.flags.push_back(message.flags);
    note_flags(message);
  }
  batch.id = co_await r_.journal.open_batch(r_.target_folder, std::move(row));
  sent_at_[batch.id] = executor.now();
  co_return batch;
}

void Transfer::note_flags(const Message& message) {
  const auto index = r_.catalogue.find(message.key);
  if (!index || !r_.catalogue.by_uid() || repairs_of(message.key).has(RepairStep::flags)) return;
  if (!(message.flags == *r_.catalogue[*index].flags))
    r_.catalogue.update(*index, std::nullopt, std::nullopt, message.flags);
}

Task<void> Transfer::done(Batch batch, std::vector<AppendResult> results) {
  Executor& executor = (co_await current_scope()).executor();
  if (const auto sent = sent_at_.find(batch.id); sent != sent_at_.end()) {
    slowest_ = std::max(slowest_, executor.now() - sent->second);
    sent_at_.erase(sent);
  }
  const Permit turn = co_await recording_.acquire_permit();
  Record record;
  record.folder = r_.folder.id;
  record.target_folder = r_.target_folder;
  std::uint64_t copied = 0, bytes = 0;
  bool uids_known = true;
  std::vector<std::pair<std::size_t, Standing>> decided;
  for (std::size_t i = 0; i < batch.messages.size(); ++i) {
    const Message& message = batch.messages[i];
    const auto index = r_.catalogue.find(message.key);
    const auto* refused = std::get_if<Rejected>(&results.at(i));
    if (refused && refused->plain_may_pass && !r_.plain) {
      for_plain_.push_back(message.key);
      continue;
    }
    if (refused) {
      FailureRow row{message.key, message.body.size_bytes(), refused->text, r_.run};
      row.repairs = repairs_of(message.key);
      record.failures.push_back(std::move(row));
      if (index) decided.emplace_back(*index, Standing::rejected);
      ++rejected_;
      continue;
    }
    ++copied;
    // Where keys are no UIDs a listing has no dates, or those of files.
    if (index && r_.catalogue.by_uid() && !repairs_of(message.key).has(RepairStep::date))
      lost_dates_.note(r_.catalogue[*index], message);
    const Uid uid = std::get<Stored>(results.at(i)).uid;
    if (!uid) {
      uids_known = false;  // the batch stays open; settle will learn where its messages are
      unnamed_.push_back(message.key);
      continue;
    }
    bytes += message.body.size_bytes();
    MessageRow row = co_await row_for(message, uid);
    // What was there before the batch went out need not have a row: it may be the user's own.
    const bool suspect = r_.traits.folds_duplicates || uid <= highest_;
    const bool folded =
        uid < r_.target_uid_next || (suspect && co_await names_older(uid, record.rows));
    if (folded) row.origin = Origin::folded;
    highest_ = std::max(highest_, uid);
    if (r_.traits.folds_duplicates) named_.emplace_back(message.key, uid);
    if (index)
      decided.emplace_back(*index,
                           row.origin == Origin::folded ? Standing::present : Standing::copied);
    record.rows.push_back(std::move(row));
  }
  if (uids_known) record.close_batches.push_back(batch.id);
  co_await r_.journal.record(std::move(record));
  for (const auto& [index, standing] : decided) r_.standing[index] = standing;
  std::uint64_t gone = 0;
  for (const Message& message : batch.messages) gone += weight(message);
  held_ -= gone;
  r_.share.leave(gone);
  appended_ += copied;
  bytes_copied_ += bytes;
  r_.observer.copied(r_.folder.source, batch.messages.size(), batch.bytes);
}

Task<MessageRow> Transfer::row_for(const Message& message, Uid uid) {
  MessageRow row;
  row.key = message.key;
  row.size_bytes = message.body.size_bytes();
  row.flags = message.flags;
  row.target_uid = uid;
  row.date = message.date;
  row.run = r_.run;
  row.copied_at = unix_time((co_await current_scope()).executor());
  if (message.fields) row.header = header_hash(*message.fields);
  row.repairs = repairs_of(message.key);
  const auto listed = r_.catalogue.find(message.key);
  if (listed) row.listed_bytes = r_.catalogue.size_bytes(*listed);
  // Flags that it was sent without are not to follow.
  if (listed && row.repairs.has(RepairStep::flags) && r_.catalogue.by_uid())
    row.flags = *r_.catalogue[*listed].flags;
  if (message.body.held()) {
    row.sha256 = sha256(message.body.bytes());
  } else if (message.body.streamed()) {
    if (uid) row.sha256 = message.body.pipe().digest();  // else not all of it came
  } else {
    Digest digest;
    co_await message.body.write_to([&digest](std::string_view bytes) -> Task<void> {
      digest.update(bytes);
      co_return;
    });
    row.sha256 = digest.finish();
  }
  co_return row;
}

Repairs Transfer::repairs_of(const MessageKey& key) const {
  const auto at = r_.repairs.find(key);
  return at == r_.repairs.end() ? Repairs{} : at->second;
}

/// A UID that some row names already, or one about to be written.
Task<bool> Transfer::names_older(Uid uid, const std::vector<MessageRow>& fresh) {
  if (std::ranges::find(fresh, uid, &MessageRow::target_uid) != fresh.end()) co_return true;
  const std::vector<MessageRow> rows = co_await r_.journal.rows_at(r_.target_folder, {uid});
  co_return !rows.empty();
}

}  // namespace postferry
