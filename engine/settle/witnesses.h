// Rows of the highest target UIDs, by which a target shows that its UIDs mean other messages now,
// though no number of the folder says so: a backup was put back, and the UIDs were given again.
#pragma once

#include <vector>

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/target.h"

namespace postferry {

/// Whether one of `witnesses` names a message among those listed that is not its copy. Some servers
/// tell size or date, or both, as they please: where the date is another than recorded bytes
/// decide, or the header where the target changes bytes on the way. Where neither is known, another
/// size and another date are another message, and so is another date alone if a second witness has
/// kept its own.
Task<bool> any_is_another(TargetSession& target, const std::vector<MessageRow>& witnesses,
                          const Catalogue& listed);

}  // namespace postferry
