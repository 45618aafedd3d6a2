// Opening a folder, and what the server says of it then.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/imap/session.h"
#include "engine/model.h"

namespace postferry::imap {

struct Selected {
  FolderName name;
  std::string wire;
  FolderNumbers numbers;  // of the moment it was opened
  /// Absent: the server did not say, so all flags are permanent (RFC 9051 §7.1).
  std::optional<std::vector<std::string>> permanent_flags;
  bool read_only = false;
  bool uid_not_sticky = false;  // RFC 4315: no UIDPLUS for this folder
  bool deleted_hides = false;   // \\Deleted takes a message out of the folder: never copied

  /// Of `flags`, those that the folder keeps; the number of others is added to `dropped`.
  Flags storable(const Flags& flags, std::uint64_t& dropped) const;

 private:
  Flags permanent(const Flags& flags, std::uint64_t& dropped) const;
};

enum class Access { read, write };

/// EXAMINE or SELECT; where the answer lacks UIDNEXT or UIDVALIDITY, STATUS is asked for it. Throws
/// refused() when the folder cannot be opened, Error{rejected} when Access::write gets a read-only
/// folder. Sets the session's context to the folder.
Task<Selected> open_folder(Session& session, FolderName name, std::string wire, Access access);

}  // namespace postferry::imap
