// One go at what is due in a folder: the source is read and the target filled, side by side. What
// is due, and what is made of the outcome, is the crossing's.
#pragma once

#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "engine/async/task.h"
#include "engine/crossing/folder_crossing.h"
#include "engine/crossing/standings.h"

namespace postferry {

struct SendingRequest {
  const FolderCrossingRequest& crossing;
  Standings& standings;   // told of each message what became of it
  SourceSession& source;  // gives messages as they are to be sent
  const FolderRecord& folder;
  TargetFolderId target_folder;
  std::uint32_t target_uid_validity = 0;
  Uid target_uid_next;
  std::size_t batch_messages = 0;  // at most
  std::vector<Catalogue::Entry> wanted;
};

struct Sent {
  std::uint64_t appended = 0, bytes_copied = 0, flags_dropped = 0;
  bool progressed = false;  // something was appended, refused or missing
  bool stopped = false;     // the user asked to; the source session may be dead
  Duration slowest_batch{};
  /// Of what was appended those that got no UID: the next settle must find them.
  std::vector<MessageKey> unnamed;
  /// Those that got one, on a target that folds: the copy that it names need not be in the folder.
  std::vector<std::pair<MessageKey, Uid>> named;
  /// What ended it, the source's before the target's: an Error. What went out before is recorded.
  std::exception_ptr failure;
};

Task<Sent> send(SendingRequest request);

}  // namespace postferry
