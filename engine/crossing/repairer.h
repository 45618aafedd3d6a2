// Carries what the target refused after repairs, step by step: each step is written down before it
// is tried, and told; the original is kept first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/repair.h"
#include "engine/settle/settle.h"
#include "engine/source.h"

namespace postferry {

/// Where the originals of repaired messages go.
class Originals {
 public:
  virtual ~Originals() = default;
  /// On the disk when it returns. Called once a message and run, before any repair is tried. Throws
  /// Error{local}.
  virtual Task<void> keep(FolderName folder, MessageKey key, Body body) = 0;
  /// The message has crossed, repaired so.
  virtual void crossed(const FolderName& folder, const MessageKey& key, Repairs repairs) = 0;
};

/// Of so much memory half is for repairs, one at a time: for a message and for what it becomes.
inline std::uint64_t room_for_repairs(std::uint64_t memory_bytes) { return memory_bytes / 2; }
inline std::uint64_t largest_repaired(std::uint64_t memory_bytes) {
  return room_for_repairs(memory_bytes) / 2;
}

struct RepairRequest {
  SourceSession& source;  // with the folder selected; without repairs
  Journal& journal;
  Observer& observer;
  Originals& originals;
  const Catalogue& catalogue;
  std::vector<Standing>& standing;         // one for each of its entries
  std::map<MessageKey, Repairs>& repairs;  // with which messages are sent
  FolderRecord folder;
  TargetFolderId target_folder;
  RunId run;
  std::uint64_t most_bytes = 0;  // of a message that can be repaired
  std::optional<std::uint64_t> append_limit_bytes;
};

/// Of all that the target refused in this run, takes the next step that changes anything, and
/// `send`s what is due then, until all have crossed or nothing more can be done. What is refused to
/// the end keeps no repair. Stops when `send` leaves something due.
Task<void> repair_refused(RepairRequest request, std::function<Task<void>()> send);

}  // namespace postferry
