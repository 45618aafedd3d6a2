// Every call of the port, with a pause on either side.
#include "tests/sim/stepped_journal.h"

#include <utility>

#include "engine/async/completion.h"

namespace postferry::sim {
namespace {

class SteppedJournal final : public Journal {
 public:
  SteppedJournal(Journal& inner, Dice& dice, Trace& trace, Unsynced& unsynced)
      : inner_(inner), dice_(dice), trace_(trace), unsynced_(unsynced) {}

  Task<AccountId> account(std::string name, std::string source, std::string target) override {
    return step("account", inner_.account(std::move(name), std::move(source), std::move(target)));
  }
  Task<RunId> begin_run(AccountId account, std::int64_t at, std::string command) override {
    return step("begin_run", inner_.begin_run(account, at, std::move(command)));
  }
  Task<void> end_run(RunId run, std::int64_t at, Ledger ledger) override {
    return step("end_run", inner_.end_run(run, at, std::move(ledger)));
  }
  Task<std::vector<RunRecord>> runs(AccountId account, std::size_t limit) override {
    return step("runs", inner_.runs(account, limit));
  }
  Task<std::optional<RunRecord>> run(AccountId account, RunId run) override {
    return step("run", inner_.run(account, run));
  }
  Task<std::vector<MessageRow>> rows_of_run(FolderId folder, RunId run, MessageKey after,
                                            std::size_t limit) override {
    return step("rows_of_run", inner_.rows_of_run(folder, run, std::move(after), limit));
  }
  Task<void> accept_failures(FolderId folder) override {
    return step("accept_failures", inner_.accept_failures(folder));
  }
  Task<bool> knows(std::string name) override {
    return step("knows", inner_.knows(std::move(name)));
  }
  Task<std::optional<EndNames>> ends_of(std::string name) override {
    return step("ends_of", inner_.ends_of(std::move(name)));
  }
  Task<void> rename_ends(EndNames from, EndNames to) override {
    return step("rename_ends", inner_.rename_ends(std::move(from), std::move(to)));
  }
  Task<std::vector<RatePoint>> rates(AccountId account, RunId run, std::int64_t from,
                                     std::int64_t step_seconds) override {
    return step("rates", inner_.rates(account, run, from, step_seconds));
  }
  Task<bool> is_new(AccountId account) override { return step("is_new", inner_.is_new(account)); }
  Task<std::vector<FolderRecord>> folders(AccountId account) override {
    return step("folders", inner_.folders(account));
  }
  Task<FolderRecord> folder(AccountId account, FolderName source, FolderName target) override {
    return know(step("folder", inner_.folder(account, std::move(source), std::move(target))));
  }
  Task<TargetFolderRecord> target_folder(TargetFolderId id) override {
    return step("target_folder", inner_.target_folder(id));
  }
  Task<void> rename_folder(FolderId folder, FolderName source) override {
    return step("rename_folder", inner_.rename_folder(folder, std::move(source)));
  }
  Task<void> doubt_target(AccountId account) override {
    return step("doubt_target", inner_.doubt_target(account));
  }
  Task<void> complete(FolderId folder, std::optional<FolderNumbers> numbers, std::string hash,
                      std::uint64_t present) override {
    return step("complete", inner_.complete(folder, numbers, std::move(hash), present));
  }
  Task<std::vector<MessageRow>> rows(FolderId folder, MessageKey after,
                                     std::size_t limit) override {
    return step("rows", inner_.rows(folder, std::move(after), limit));
  }
  Task<std::vector<MessageRow>> newest_rows(FolderId folder, std::size_t limit) override {
    return step("newest_rows", inner_.newest_rows(folder, limit));
  }
  Task<std::vector<MessageRow>> rows_outside(FolderId folder,
                                             std::vector<UidRange> ranges) override {
    return step("rows_outside", inner_.rows_outside(folder, std::move(ranges)));
  }
  Task<std::vector<MessageRow>> rows_for(FolderId folder, std::vector<MessageKey> keys) override {
    return step("rows_for", inner_.rows_for(folder, std::move(keys)));
  }
  Task<std::vector<FailureRow>> failures(FolderId folder) override {
    return step("failures", inner_.failures(folder));
  }
  Task<std::vector<Uid>> named(TargetFolderId folder, Uid from) override {
    return step("named", inner_.named(folder, from));
  }
  Task<std::vector<MessageRow>> rows_at(TargetFolderId folder, std::vector<Uid> uids) override {
    return step("rows_at", inner_.rows_at(folder, std::move(uids)));
  }
  Task<std::vector<MessageRow>> last_rows(TargetFolderId folder, std::size_t limit) override {
    return step("last_rows", inner_.last_rows(folder, limit));
  }
  Task<std::vector<CopySize>> copies_sized(TargetFolderId folder,
                                           std::vector<std::uint64_t> sizes) override {
    return step("copies_sized", inner_.copies_sized(folder, std::move(sizes)));
  }
  Task<std::vector<CopyLook>> copies_without_uid(TargetFolderId folder,
                                                 FolderId other_than) override {
    return step("copies_without_uid", inner_.copies_without_uid(folder, other_than));
  }
  Task<std::vector<OpenBatch>> open_batches(TargetFolderId folder) override {
    return step("open_batches", inner_.open_batches(folder));
  }
  Task<std::int64_t> open_batch(TargetFolderId folder, OpenBatch batch) override {
    return step("open_batch", inner_.open_batch(folder, std::move(batch)));
  }
  Task<void> record(Record record) override {
    if (trace_.loud()) show(record);
    std::set<std::string> rows;
    for (const MessageRow& row : record.rows)
      rows.insert(Unsynced::name(unsynced_.folders[record.folder.value], row.key));
    return note(std::move(rows), step("record", inner_.record(std::move(record))));
  }
  Task<void> update_flags(FolderId folder,
                          std::vector<std::pair<MessageKey, Flags>> flags) override {
    return step("update_flags", inner_.update_flags(folder, std::move(flags)));
  }
  Task<void> forget(FolderId folder, std::vector<MessageKey> keys) override {
    return step("forget", inner_.forget(folder, std::move(keys)));
  }
  Task<std::vector<MessageRow>> removable(FolderId folder, std::int64_t until, MessageKey after,
                                          std::size_t limit) override {
    return step("removable", inner_.removable(folder, until, std::move(after), limit));
  }
  Task<void> set_state(FolderId folder, std::vector<MessageKey> keys, MessageState state) override {
    return step("set_state", inner_.set_state(folder, std::move(keys), state));
  }
  Task<void> reset_target_folder(TargetFolderId folder, std::uint32_t validity) override {
    return step("reset_target_folder", inner_.reset_target_folder(folder, validity));
  }
  Task<std::vector<TrafficHour>> traffic(std::string login, Direction direction,
                                         std::int64_t from) override {
    return step("traffic", inner_.traffic(std::move(login), direction, from));
  }
  Task<void> add_traffic(std::string login, Direction direction, TrafficHour more) override {
    return step("add_traffic", inner_.add_traffic(std::move(login), direction, more));
  }
  Task<void> make_durable() override { return settle(step("make_durable", inner_.make_durable())); }

 private:
  void show(const Record& record) {
    for (const MessageKey& key : record.forget) trace_.say("    forget {}", key.to_string());
    for (const MessageRow& row : record.rows)
      trace_.say("    {}: UID {}, {} bytes, listed {}, state {}, {}{}", row.key.to_string(),
                 row.target_uid.value, row.size_bytes,
                 row.listed_bytes ? std::to_string(*row.listed_bytes) : "-",
                 static_cast<int>(row.state),
                 row.origin == Origin::appended ? "appended" : "adopted",
                 row.sha256 ? ", hashed" : "");
    if (record.watermark) trace_.say("    watermark {}", record.watermark->value);
  }
  Task<FolderRecord> know(Task<FolderRecord> call) {
    FolderRecord record = co_await std::move(call);
    unsynced_.folders[record.id.value] = record.source.to_string();
    co_return record;
  }
  Task<void> note(std::set<std::string> rows, Task<void> call) {
    unsynced_.rows.merge(rows);
    co_await std::move(call);
  }
  Task<void> settle(Task<void> call) {
    const std::set<std::string> before = unsynced_.rows;
    co_await std::move(call);
    for (const std::string& row : before) unsynced_.rows.erase(row);
  }

  template <class T>
  Task<T> step(const char* name, Task<T> call) {
    co_await pause();
    trace_.bytes(name);
    trace_.say("  journal {}", name);
    if constexpr (std::is_void_v<T>) {
      co_await std::move(call);
      co_await pause();
    } else {
      T value = co_await std::move(call);
      co_await pause();
      co_return value;
    }
  }

  Task<void> pause() {
    Executor& executor = (co_await current_scope()).executor();
    Completion<void> over;
    executor.start_timer(after(executor.now(), dice_.us_below(300)), [&over] { over.set_value(); });
    co_await over.wait();
  }

  Journal& inner_;
  Dice& dice_;
  Trace& trace_;
  Unsynced& unsynced_;
};

}  // namespace

std::unique_ptr<Journal> make_stepped(Journal& inner, Dice& dice, Trace& trace,
                                      Unsynced& unsynced) {
  return std::make_unique<SteppedJournal>(inner, dice, trace, unsynced);
}

}  // namespace postferry::sim
