// Who watches a crossing: progress, log and JSON output. Told, never asked.
#pragma once

#include <cstdint>
#include <string>

#include "engine/error.h"
#include "engine/ledger.h"
#include "engine/model.h"

namespace postferry {

enum class Level { debug, info, warning, error };

/// All calls come from the loop thread and must return quickly.
class Observer {
 public:
  virtual ~Observer() = default;
  /// The plan is known: this much is in the source, this much is to be copied as far as one can
  /// tell from listings (an upper bound).
  virtual void planned(std::size_t folders, std::uint64_t messages) {
    (void)folders, (void)messages;
  }
  virtual void folder_begun(const FolderName& source, const FolderName& target) {
    (void)source, (void)target;
  }
  /// The catalogue is settled: so many are present, so many to go.
  virtual void folder_planned(const FolderName& folder, std::uint64_t seen, std::uint64_t to_copy,
                              std::uint64_t bytes_to_copy) {
    (void)folder, (void)seen, (void)to_copy, (void)bytes_to_copy;
  }
  virtual void copied(const FolderName& folder, std::uint64_t messages, std::uint64_t bytes) {
    (void)folder, (void)messages, (void)bytes;
  }
  virtual void folder_ended(const FolderName& folder, const FolderTally& tally) {
    (void)folder, (void)tally;
  }
  virtual void note(Level level, const std::string& text) { (void)level, (void)text; }
};

}  // namespace postferry
