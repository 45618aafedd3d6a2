// Folder patterns as people write them: `*` stays within a level, `**` crosses levels.
#pragma once

#include <string_view>

#include "engine/model.h"

namespace postferry {

/// Matches the form of FolderName::to_string(); a leading level INBOX ignores case.
bool glob_matches(std::string_view pattern, const FolderName& folder);

}  // namespace postferry
