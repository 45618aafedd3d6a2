// The calls of the Journal port in SQL, one by one and in place: no thread, no transaction, no
// coroutine. What a crossing means by the rows it must not know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/journal.h"
#include "state/flag_table.h"
#include "state/sqlite.h"

namespace postferry::state {

/// For the promises of each call see engine/journal.h. Every call throws Error{journal} when SQLite
/// fails; the caller's transaction makes it all or nothing. Calls may be repeated after a rollback.
class Store {
 public:
  /// `database` must outlive this and hold the newest tables.
  explicit Store(Database& database) : database_(database), flags_(database) {}

  Database& database() { return database_; }
  /// The caller rolled something back.
  void rolled_back() { flags_.forget(); }

  AccountId account(const std::string& name, const std::string& source, const std::string& target);
  bool knows(const std::string& name);
  std::optional<EndNames> ends_of(const std::string& name);
  void rename_ends(const EndNames& from, const EndNames& to);
  RunId begin_run(AccountId account, std::int64_t started_at, const std::string& command);
  void end_run(RunId run, std::int64_t ended_at, const Ledger& ledger);
  std::vector<RunRecord> runs(AccountId account, std::size_t limit);
  std::optional<RunRecord> run(AccountId account, RunId run);
  std::vector<RatePoint> rates(AccountId account, RunId run, std::int64_t from,
                               std::int64_t step_seconds);
  bool is_new(AccountId account);

  std::vector<FolderRecord> folders(AccountId account);
  FolderRecord folder(AccountId account, const FolderName& source, const FolderName& target);
  TargetFolderRecord target_folder(TargetFolderId id);
  void rename_folder(FolderId folder, const FolderName& source);
  void doubt_target(AccountId account);
  void complete(FolderId folder, const std::optional<FolderNumbers>& numbers,
                const std::string& options_hash, std::uint64_t present);
  void reset_target_folder(TargetFolderId folder, std::uint32_t uid_validity);

  std::vector<MessageRow> rows(FolderId folder, const MessageKey& after, std::size_t limit);
  std::vector<MessageRow> newest_rows(FolderId folder, std::size_t limit);
  std::vector<MessageRow> rows_outside(FolderId folder, const std::vector<UidRange>& ranges);
  std::vector<MessageRow> rows_for(FolderId folder, const std::vector<MessageKey>& keys);
  std::vector<MessageRow> rows_of_run(FolderId folder, RunId run, const MessageKey& after,
                                      std::size_t limit);
  std::vector<FailureRow> failures(FolderId folder);
  void accept_failures(FolderId folder);
  std::vector<Uid> named(TargetFolderId folder, Uid from);
  std::vector<MessageRow> last_rows(TargetFolderId folder, std::size_t limit);
  std::vector<CopySize> copies_sized(TargetFolderId folder,
                                     const std::vector<std::uint64_t>& sizes);
  std::vector<CopyLook> copies_without_uid(TargetFolderId folder, FolderId other_than);
  std::vector<MessageRow> rows_at(TargetFolderId folder, const std::vector<Uid>& uids);

  std::vector<OpenBatch> open_batches(TargetFolderId folder);
  std::int64_t open_batch(TargetFolderId folder, const OpenBatch& batch);

  void record(const Record& record);
  void update_flags(FolderId folder, const std::vector<std::pair<MessageKey, Flags>>& flags);
  void forget(FolderId folder, const std::vector<MessageKey>& keys);
  std::vector<MessageRow> removable(FolderId folder, std::int64_t copied_until,
                                    const MessageKey& after, std::size_t limit);
  void set_state(FolderId folder, const std::vector<MessageKey>& keys, MessageState state);

  std::vector<TrafficHour> traffic(const std::string& login, Direction direction,
                                   std::int64_t from_hour);
  void add_traffic(const std::string& login, Direction direction, const TrafficHour& more);

 private:
  void rename_login(const std::string& from, const std::string& to, Direction direction);
  void void_keys(FolderId folder);
  TargetFolderId target_folder_of(AccountId account, const FolderName& name);
  FolderRecord known_folder(AccountId account, const FolderName& source);
  std::optional<FolderId> find_folder(AccountId account, const FolderName& source);
  void rename_in_batches(const Record& record);
  void write_rows(const Record& record);
  void write_failures(const Record& record);
  void write_target(const Record& record);
  MessageRow read_row(const Query& query);
  RunRecord read_run(const Query& query);
  void read_ledger(RunRecord& run);
  [[noreturn]] void fail(const std::string& words) const;

  Database& database_;
  FlagTable flags_;
};

/// A key as a column holds it: INTEGER or TEXT.
Value key_value(const MessageKey& key);
MessageKey read_key(const Query& query, int column);

}  // namespace postferry::state
