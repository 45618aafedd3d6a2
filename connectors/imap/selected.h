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
  bool validity_apart = false;  // UIDVALIDITY is told to a STATUS alone
  bool deleted_hides = false;   // \\Deleted takes a message out of the folder: never copied

  /// Of `flags`, those that the folder keeps; the number of others is added to `dropped`.
  Flags storable(const Flags& flags, std::uint64_t& dropped) const;

 private:
  Flags permanent(const Flags& flags, std::uint64_t& dropped) const;
};

enum class Access { read, write };

/// A folder being opened: the command is out.
struct Opening {
  Selected folder;
  std::string tag;
  std::string status_tag;  // of a STATUS for UIDVALIDITY behind it; empty: none is out
  const char* verb = "";
  Access access = Access::read;
};

/// The command that opens it. Its literal may have to wait.
Command open_command(Session& session, const Opening& opening);
/// What is to be opened, in the server's way.
Opening opening_of(const Session& session, FolderName name, std::string wire, Access access);
/// Reads the answer, and sets the session's context to the folder. Throws refused() when the folder
/// cannot be opened, Error{rejected} when Access::write gets a read-only folder.
Task<Selected> finish_opening(Session& session, Opening opening);
/// True where the answer lacked UIDNEXT or UIDVALIDITY (Courier says no UIDNEXT).
bool lacks_numbers(const Selected& folder);
/// A STATUS for them.
Command status_command(Session& session, const std::string& wire);
/// Reads its answer. Servers that cannot say them at all leave them absent.
Task<void> take_missing(Session& session, std::string tag, Selected& folder);
/// Both.
Task<void> ask_missing(Session& session, Selected& folder);

/// All of it.
Task<Selected> open_folder(Session& session, FolderName name, std::string wire, Access access);

}  // namespace postferry::imap
