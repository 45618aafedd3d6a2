// Rows of the highest target UIDs, by which a target shows that its UIDs mean other messages now,
// though no number of the folder says so: a backup was put back, and the UIDs were given again.
#pragma once

#include <vector>

#include "engine/async/task.h"
#include "engine/journal.h"
#include "engine/target.h"

namespace postferry {

/// Whether one of `witnesses` names a message among those listed that is not its copy. Another size
/// and another date than recorded: another message. Size or date alone some servers tell as they
/// please: then bytes decide, or the header where the target changes bytes on the way.
Task<bool> any_is_another(TargetSession& target, const std::vector<MessageRow>& witnesses,
                          const Catalogue& listed);

}  // namespace postferry
