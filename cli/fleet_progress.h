// How far many accounts have come, on the terminal.
// Must not know where accounts come from.
#pragma once

#include <cstdint>
#include <string>

#include "cli/progress.h"
#include "cli/terminal.h"
#include "engine/async/executor.h"
#include "engine/ledger.h"
#include "engine/observer.h"

namespace postferry::cli {

/// One status line for all accounts; where the terminal is not interactive, a line as each ends,
/// and one every half a minute.
class FleetProgress {
 public:
  /// Both must outlive it.
  FleetProgress(Terminal& terminal, Executor& executor, std::size_t accounts);
  ~FleetProgress();

  void account_ended(const Ledger& ledger);
  void tick();
  ProgressCount& count() { return count_; }

 private:
  Terminal& terminal_;
  Executor& executor_;
  ProgressCount count_;
  std::size_t accounts_, ended_ = 0;
  TimePoint last_line_;
};

/// One account's watcher: counts for all, and puts the account's name before what is said.
class AccountWatch final : public Observer {
 public:
  /// `count` may be null. What it refers to must outlive it.
  AccountWatch(std::string account, ProgressCount* count, Observer& log)
      : account_(std::move(account)), count_(count), log_(log) {}

  void planned(std::size_t folders, std::uint64_t messages) override;
  void folder_planned(const FolderName& folder, std::uint64_t seen, std::uint64_t to_copy,
                      std::uint64_t bytes_to_copy) override;
  void copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes) override;
  void folder_ended(const FolderName& folder, const FolderTally& tally) override;
  void note(Level level, const std::string& text) override;

 private:
  FolderName named(const FolderName& folder) const;

  std::string account_;
  ProgressCount* count_;
  Observer& log_;
};

}  // namespace postferry::cli
