// Each call of the port becomes a Call on the store, run on the journal's thread or in place.

#include "state/sqlite_journal.h"

#include <filesystem>
#include <optional>
#include <type_traits>
#include <utility>

#include "engine/error.h"
#include "state/group_commit.h"
#include "state/journal_thread.h"
#include "state/lock.h"
#include "state/schema.h"
#include "state/sqlite.h"
#include "state/store.h"

namespace postferry {

namespace {

using namespace state;

/// `work(store)`, and what it returned.
template <class Work>
class WorkCall final : public Call {
 public:
  using Value = std::invoke_result_t<Work&, Store&>;
  explicit WorkCall(Work& work) : work_(work) {}
  void run(Store& store) override {
    if constexpr (std::is_void_v<Value>) {
      work_(store);
    } else {
      value_.emplace(work_(store));
    }
  }
  Value take() {
    if (error != nullptr) std::rethrow_exception(error);
    if constexpr (!std::is_void_v<Value>) return std::move(*value_);
  }

 private:
  Work& work_;
  std::optional<std::conditional_t<std::is_void_v<Value>, char, Value>> value_;
};

class SyncCall final : public Call {
 public:
  void run(Store&) override {}
  bool durable() const override { return true; }
};

class SqliteJournal final : public Journal {
 public:
  SqliteJournal(std::optional<FileLock> lock, Database database, bool threaded,
                KeptConnection* kept = nullptr)
      : lock_(std::move(lock)), database_(std::move(database)), store_(database_), kept_(kept) {
    if (threaded) thread_.emplace(store_);
  }
  ~SqliteJournal() override {
    if (kept_ == nullptr) return;
    database_.empty_log();
    kept_->keep(std::make_unique<Database>(std::move(database_)));
  }

  Task<AccountId> account(std::string name, std::string source_identity,
                          std::string target_identity) override {
    co_return co_await call(
        [&](Store& store) { return store.account(name, source_identity, target_identity); });
  }
  Task<bool> knows(std::string name) override {
    co_return co_await call([&](Store& store) { return store.knows(name); });
  }
  Task<std::optional<EndNames>> ends_of(std::string name) override {
    co_return co_await call([&](Store& store) { return store.ends_of(name); });
  }
  Task<void> rename_ends(EndNames from, EndNames to) override {
    co_await call([&](Store& store) { store.rename_ends(from, to); });
  }
  Task<RunId> begin_run(AccountId account, std::int64_t started_at, std::string command) override {
    co_return co_await call(
        [&](Store& store) { return store.begin_run(account, started_at, command); });
  }
  Task<void> end_run(RunId run, std::int64_t ended_at, Ledger ledger) override {
    co_await call([&](Store& store) { store.end_run(run, ended_at, ledger); });
  }
  Task<std::vector<RunRecord>> runs(AccountId account, std::size_t limit) override {
    co_return co_await call([&](Store& store) { return store.runs(account, limit); });
  }
  Task<std::optional<RunRecord>> run(AccountId account, RunId run) override {
    co_return co_await call([&](Store& store) { return store.run(account, run); });
  }
  Task<std::vector<RatePoint>> rates(AccountId account, RunId run, std::int64_t from,
                                     std::int64_t step_seconds) override {
    co_return co_await call(
        [&](Store& store) { return store.rates(account, run, from, step_seconds); });
  }
  Task<bool> is_new(AccountId account) override {
    co_return co_await call([&](Store& store) { return store.is_new(account); });
  }

  Task<std::vector<FolderRecord>> folders(AccountId account) override {
    co_return co_await call([&](Store& store) { return store.folders(account); });
  }
  Task<FolderRecord> folder(AccountId account, FolderName source, FolderName target) override {
    co_return co_await call([&](Store& store) { return store.folder(account, source, target); });
  }
  Task<TargetFolderRecord> target_folder(TargetFolderId id) override {
    co_return co_await call([&](Store& store) { return store.target_folder(id); });
  }
  Task<void> rename_folder(FolderId folder, FolderName source) override {
    co_await call([&](Store& store) { store.rename_folder(folder, source); });
  }
  Task<void> complete(FolderId folder, std::optional<FolderNumbers> numbers,
                      std::string options_hash, std::uint64_t present) override {
    co_await call([&](Store& store) { store.complete(folder, numbers, options_hash, present); });
  }

  Task<void> doubt_target(AccountId account) override {
    co_await call([&](Store& store) { store.doubt_target(account); });
  }

  Task<std::vector<MessageRow>> rows(FolderId folder, MessageKey after,
                                     std::size_t limit) override {
    co_return co_await call([&](Store& store) { return store.rows(folder, after, limit); });
  }
  Task<std::vector<MessageRow>> newest_rows(FolderId folder, std::size_t limit) override {
    co_return co_await call([&](Store& store) { return store.newest_rows(folder, limit); });
  }
  Task<std::vector<MessageRow>> rows_outside(FolderId folder,
                                             std::vector<UidRange> ranges) override {
    co_return co_await call([&](Store& store) { return store.rows_outside(folder, ranges); });
  }
  Task<std::vector<MessageRow>> rows_for(FolderId folder, std::vector<MessageKey> keys) override {
    co_return co_await call([&](Store& store) { return store.rows_for(folder, keys); });
  }
  Task<std::vector<FailureRow>> failures(FolderId folder) override {
    co_return co_await call([&](Store& store) { return store.failures(folder); });
  }
  Task<std::vector<MessageRow>> rows_of_run(FolderId folder, RunId run, MessageKey after,
                                            std::size_t limit) override {
    co_return co_await call(
        [&](Store& store) { return store.rows_of_run(folder, run, after, limit); });
  }
  Task<void> accept_failures(FolderId folder) override {
    co_await call([&](Store& store) { store.accept_failures(folder); });
  }
  Task<std::vector<Uid>> named(TargetFolderId folder, Uid from) override {
    co_return co_await call([&](Store& store) { return store.named(folder, from); });
  }
  Task<std::vector<MessageRow>> last_rows(TargetFolderId folder, std::size_t limit) override {
    co_return co_await call([&](Store& store) { return store.last_rows(folder, limit); });
  }
  Task<std::vector<CopySize>> copies_sized(TargetFolderId folder,
                                           std::vector<std::uint64_t> sizes) override {
    co_return co_await call([&](Store& store) { return store.copies_sized(folder, sizes); });
  }

  Task<std::vector<CopyLook>> copies_without_uid(TargetFolderId folder,
                                                 FolderId other_than) override {
    co_return co_await call(
        [&](Store& store) { return store.copies_without_uid(folder, other_than); });
  }
  Task<std::vector<MessageRow>> rows_at(TargetFolderId folder, std::vector<Uid> uids) override {
    co_return co_await call([&](Store& store) { return store.rows_at(folder, uids); });
  }

  Task<std::vector<OpenBatch>> open_batches(TargetFolderId folder) override {
    co_return co_await call([&](Store& store) { return store.open_batches(folder); });
  }
  Task<std::int64_t> open_batch(TargetFolderId folder, OpenBatch batch) override {
    co_return co_await call([&](Store& store) { return store.open_batch(folder, batch); });
  }
  Task<void> record(Record record) override {
    co_await call([&](Store& store) { store.record(record); });
  }
  Task<void> update_flags(FolderId folder,
                          std::vector<std::pair<MessageKey, Flags>> flags) override {
    co_await call([&](Store& store) { store.update_flags(folder, flags); });
  }
  Task<void> forget(FolderId folder, std::vector<MessageKey> keys) override {
    co_await call([&](Store& store) { store.forget(folder, keys); });
  }
  Task<std::vector<MessageRow>> removable(FolderId folder, std::int64_t copied_until,
                                          MessageKey after, std::size_t limit) override {
    co_return co_await call(
        [&](Store& store) { return store.removable(folder, copied_until, after, limit); });
  }
  Task<void> set_state(FolderId folder, std::vector<MessageKey> keys, MessageState state) override {
    co_await call([&](Store& store) { store.set_state(folder, keys, state); });
  }
  Task<void> reset_target_folder(TargetFolderId folder, std::uint32_t uid_validity) override {
    co_await call([&](Store& store) { store.reset_target_folder(folder, uid_validity); });
  }
  Task<std::vector<TrafficHour>> traffic(std::string login, Direction direction,
                                         std::int64_t from_hour) override {
    co_return co_await call(
        [&](Store& store) { return store.traffic(login, direction, from_hour); });
  }
  Task<void> add_traffic(std::string login, Direction direction, TrafficHour more) override {
    co_await call([&](Store& store) { store.add_traffic(login, direction, more); });
  }
  Task<void> make_durable() override {
    SyncCall sync;
    co_await dispatch(sync);
    if (sync.error != nullptr) std::rethrow_exception(sync.error);
  }

 private:
  // `work` and what it refers to live in the frames of the coroutines that wait here.
  template <class Work>
  Task<std::invoke_result_t<Work&, Store&>> call(Work work) {
    WorkCall<Work> work_call(work);
    co_await dispatch(work_call);
    co_return work_call.take();
  }

  Task<void> dispatch(Call& call) {
    if (thread_) {
      co_await thread_->run(call);
    } else {
      Call* calls[] = {&call};
      commit_together(store_, calls);
    }
  }

  std::optional<FileLock> lock_;
  Database database_;
  Store store_;
  KeptConnection* kept_;
  std::optional<JournalThread> thread_;
};

/// Settings of one connection; nothing of them stays in the file but WAL.
void configure(Database& database) {
  database.execute(
      "PRAGMA synchronous = NORMAL;"  // a commit outlives this process; see make_durable
      "PRAGMA foreign_keys = ON;"
      "PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -8192;"         // KiB
      "PRAGMA wal_autocheckpoint = 4000;"  // pages, 16 MiB
      "PRAGMA journal_size_limit = 67108864;"
      "PRAGMA cell_size_check = ON;"
      "PRAGMA trusted_schema = OFF;");
}

void prepare(Database& database) {
  configure(database);
  migrate(database);
  database.execute("PRAGMA journal_mode = WAL");
}

/// One name for one file, whatever links lead to it: the lock stands beside the file itself.
std::string real_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error) {
    throw Error(ErrorKind::journal, "cannot find the file: " + error.message(), "journal " + path);
  }
  return real.string();
}

}  // namespace

std::unique_ptr<Journal> open_journal(const std::string& path) {
  make_parents(path);
  const std::string real = real_path(path);
  FileLock lock(real);
  Database database = Database::open(real, Database::Mode::create);
  prepare(database);
  return std::make_unique<SqliteJournal>(std::move(lock), std::move(database), true);
}

std::unique_ptr<Journal> open_journal_read_only(const std::string& path) {
  Database database = Database::open(path, Database::Mode::read_only);
  configure(database);
  require_schema(database);
  return std::make_unique<SqliteJournal>(std::nullopt, std::move(database), false);
}

std::optional<std::string> journal_holder(const std::string& path) {
  return lock_holder(real_path(path));
}

std::unique_ptr<Journal> open_journal_copy(const std::string& path) {
  Database database = Database::copy_in_memory(path);
  configure(database);
  require_schema(database);
  return std::make_unique<SqliteJournal>(std::nullopt, std::move(database), false);
}

std::unique_ptr<Journal> open_journal_in_memory() {
  Database database = Database::open_in_memory();
  configure(database);
  migrate(database);
  return std::make_unique<SqliteJournal>(std::nullopt, std::move(database), false);
}

KeptConnection::KeptConnection() = default;
KeptConnection::~KeptConnection() = default;
void KeptConnection::drop() { database_.reset(); }
std::unique_ptr<Database> KeptConnection::take() { return std::move(database_); }
void KeptConnection::keep(std::unique_ptr<Database> database) { database_ = std::move(database); }

std::unique_ptr<Journal> open_journal_on(const std::string& vfs, const std::string& path,
                                         KeptConnection* kept) {
  if (const auto database = kept != nullptr ? kept->take() : nullptr) {
    return std::make_unique<SqliteJournal>(std::nullopt, std::move(*database), false, kept);
  }
  Database database = Database::open_on(vfs, path);
  prepare(database);
  return std::make_unique<SqliteJournal>(std::nullopt, std::move(database), false, kept);
}

}  // namespace postferry
