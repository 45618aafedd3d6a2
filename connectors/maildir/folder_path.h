// Which directory a folder is in. A folder's name comes from a server, so nothing in it may lead
// out of the root: each level is modified UTF-7, and what is left that a directory's name may not
// hold is written `\2e`, as Dovecot's listescape plugin reads it.
//
//   Maildir++   INBOX is the root; Archive/2019 is `.Archive.2019`
//   fs          INBOX is the root; Archive/2019 is `Archive/2019`
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace postferry::maildir {

enum class Layout { maildirpp, fs };

/// Relative to the root; empty for INBOX. A level (with Maildir++, a name) that is longer than file
/// systems take ends in a digest of itself: then folder_at cannot know it, and a note beside the
/// mail must.
std::string directory_of(const FolderName& folder, Layout layout);

/// The folder in such a directory, as far as its name tells. Never fails: names that other programs
/// made are read as well as can be.
FolderName folder_at(std::string_view directory, Layout layout);

/// The levels as they stand in a path.
std::vector<std::string> escape_levels(const FolderName& folder, Layout layout);

}  // namespace postferry::maildir
