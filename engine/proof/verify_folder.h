// Proof of one target folder and of all source folders that go there.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/journal.h"
#include "engine/proof/verify.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

/// One source folder, and what the journal knows of it.
struct VerifyPart {
  FolderName source;
  std::optional<FolderRecord> record;
  bool listed = true;  // at the source; else the journal alone knows of it
};

struct VerifyFolderRequest {
  SourceSession* source = nullptr;  // null: the journal stands for it
  TargetSession& target;
  Journal& journal;
  const CrossingOptions& options;
  VerifyLevel level;
  FolderName folder;    // on the target
  bool exists = false;  // there
  std::vector<VerifyPart> parts;
  std::function<bool()> stop;  // looked at between messages; then StopVerify is thrown
};

/// The user asked for the end.
struct StopVerify {};

/// One entry for each part, in order; what only the target has is with the first. Throws Error, and
/// StopVerify.
Task<std::vector<VerifiedFolder>> verify_folder(VerifyFolderRequest request);

}  // namespace postferry
