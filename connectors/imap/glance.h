// The flags of many folders at once. Reads only.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/imap/party.h"
#include "engine/source.h"

namespace postferry::imap {

/// Opens each of these folders (their names and how they are said to the server) and asks for all
/// flags in it and for the size and date of the newest message, the commands of one behind those of
/// the other; `take` gets what was answered, in order. A folder that is refused or empty is left
/// out, as is one whose name has to wait for the server. Afterwards no folder is open.
Task<void> glance_at(Party& party, std::vector<std::pair<FolderName, std::string>> folders,
                     std::function<Task<void>(FolderName, Opened)> take);

}  // namespace postferry::imap
