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

/// Files and directories, sorted by name, without links (one may lead back up), sockets and their
/// kin; none where there is no such directory. Throws Error{local}. Blocks.
std::vector<Listed> list_directory(const std::string& path);

}  // namespace postferry::files
