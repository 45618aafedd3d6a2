// What mail programs call their special folders, in the languages that migrations meet.
#pragma once

#include "engine/model.h"

namespace postferry {

/// The role that a folder's last level suggests, ignoring case; Role::none when it suggests none.
/// Only for servers that declare no roles at all.
Role role_by_name(const FolderName& folder);

}  // namespace postferry
