// A new file in the place of an mbox: some messages left out, others with new fields of the mbox.
// The caller holds the locks. Blocks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "connectors/mbox/codec/head.h"
#include "connectors/mbox/index.h"

namespace postferry::mbox {

/// What becomes of a message.
struct Fate {
  bool stays = true;
  std::optional<Head> head;  // takes the place of the fields it has
};

/// The fields of the mbox at the top of a message of ours.
Envelope own_envelope(Bytes& bytes, const Entry& entry);

/// Copies `entries` of `bytes` beside `path`, synced, and renames: readers see the old or the new
/// file. All but the fields of the mbox is copied byte for byte. Mode and owner stay as they are.
void rewrite(const std::string& path, Bytes& bytes, const std::vector<Entry>& entries,
             const std::function<Fate(std::size_t)>& fate);

}  // namespace postferry::mbox
