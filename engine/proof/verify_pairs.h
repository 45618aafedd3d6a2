// Whether the messages that stand for each other at the two ends are the same. Which they are is
// decided elsewhere.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/catalogue.h"
#include "engine/journal.h"
#include "engine/proof/verify.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

/// A message that should be on the target, and where it is.
struct VerifyPair {
  std::optional<Catalogue::Entry> source;  // absent: the source no longer has it
  std::size_t target = 0;                  // its place in the target's listing
  std::optional<MessageRow> row;           // absent: found by its header
  bool folded = false;                     // the server answered with an equal message's UID
};

/// Counts a finding of a folder, and lists it while there is room.
void add_finding(VerifiedFolder& folder, FindingKind kind, std::optional<MessageKey> key, Uid uid,
                 std::string text);

struct VerifyPairsRequest {
  /// With the folder selected, its bodies as they were sent; null: the rows stand for it.
  SourceSession* source = nullptr;
  TargetSession& target;  // with the target folder selected
  VerifyLevel level;
  bool has_flags = true;                    // at the source; POP3 has none
  const std::vector<TargetEntry>& entries;  // the target's listing
  VerifiedFolder& folder;                   // takes the findings
  std::function<bool()> stop;               // looked at between parts; then StopVerify is thrown
};

/// Compares each pair as the level says: what differs becomes a finding, what does not a match.
/// Memory does not grow with the messages. Throws Error, and StopVerify.
Task<void> verify_pairs(VerifyPairsRequest request, std::vector<VerifyPair> pairs);

}  // namespace postferry
