// What is in a directory.
#pragma once

#include <string>
#include <vector>

#include "connectors/files/file.h"

namespace postferry::files {

struct Listed {
  std::string name;
  bool directory = false;
  Stamp stamp = {};
};

/// Files and directories, sorted by name, without sockets and their kin; none where there is no
/// such directory. Links are followed to what has the same owner, but not back up. Throws
/// Error{local}. Blocks.
std::vector<Listed> list_directory(const std::string& path);

}  // namespace postferry::files
