// A target folder is opened to be filled; it is made first where there is none.
#pragma once

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/mapping.h"
#include "engine/observer.h"
#include "engine/target.h"

namespace postferry {

struct OpenTargetRequest {
  TargetSession& target;
  Observer& observer;
  MappedFolder& folder;  // its target's name, `exists` and `target_subscribed` become what they are
  const FolderRecord& record;
  bool ask_again = false;  // for a subscription that was refused before
};

/// In one round trip, where the target can. A name that the target refuses gives way to a plainer
/// one; the folder is subscribed if the source's is. Another name, and a subscription that is
/// refused, are told. Throws Error{rejected} when it takes no name.
Task<FolderNumbers> open_target(OpenTargetRequest request);

/// The source's folder is subscribed, and the target's not yet.
bool lacks_subscription(const MappedFolder& folder);

}  // namespace postferry
