// The members of a folder's open batches: what was sent to the target, and nobody knows whether it
// has come.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/standing.h"

namespace postferry {

class Members {
 public:
  /// All outlive it. `batches`: of the target folder, any account's.
  Members(const Catalogue& catalogue, const std::vector<Standing>& standing, FolderId folder,
          const std::vector<OpenBatch>& batches);

  /// Entries that batches which are still waited for hold; ascending.
  const std::vector<std::uint32_t>& awaited() const { return awaited_; }
  /// Some have not been found. Those of a batch whose keys became void never are.
  bool missing() const;
  /// Where names do not last a member may be listed under another: then it is any that is due.
  bool left_its_name() const { return left_its_name_; }

  struct Sent {
    RunId run;
    Flags flags;
    Uid uid_next;  // of the target before
  };
  /// How an entry was sent, in a batch that is open or was given up, so that this came of it: the
  /// one with its very flags, or the last. None: what was there before is not of any.
  std::optional<Sent> sent(std::size_t index, Uid uid, const Flags& flags) const;

 private:
  const std::vector<Standing>& standing_;
  std::vector<std::uint32_t> awaited_;
  std::multimap<std::size_t, Sent> sent_;  // in the order of the batches
  bool nameless_batch_ = false;  // its keys became void: nothing tells when all of it has come
  bool left_its_name_ = false;
};

}  // namespace postferry
