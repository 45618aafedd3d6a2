// Shows progress: in place on a terminal, as lines elsewhere.
#pragma once

#include <optional>

#include "cli/progress.h"
#include "cli/terminal.h"
#include "engine/async/executor.h"
#include "engine/observer.h"

namespace postferry::cli {

/// On a terminal one line, painted at every tick; elsewhere a line for each folder with something
/// to tell, and one every 30 seconds.
class ProgressTty final : public Observer {
 public:
  /// Both must outlive it.
  ProgressTty(Terminal& terminal, Executor& executor);
  /// Takes the line away.
  ~ProgressTty() override;

  void planned(std::size_t folders, std::uint64_t messages) override;
  void folder_planned(const FolderName& folder, std::uint64_t seen, std::uint64_t to_copy,
                      std::uint64_t bytes_to_copy) override;
  void copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes) override;
  void folder_ended(const FolderName& folder, const FolderTally& tally) override;

  /// Called about ten times a second.
  void tick();

 private:
  Terminal& terminal_;
  Executor& executor_;
  ProgressCount count_;
  bool begun_ = false;
  TimePoint last_line_;
};

/// "Archive/2019: 1,204 messages, 1,200 copied, 4 present (35 MB)".
std::string folder_line(const FolderTally& tally);

}  // namespace postferry::cli
