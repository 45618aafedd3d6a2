// The Journal port on SQLite: the makers. See engine/journal.h for what a journal promises.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/journal.h"

namespace postferry {

namespace state {
class Database;
}

/// Opens the journal at `path`, making the file (mode 0600) and its directories (0700) when they
/// are missing, and holds it against a second writer until it goes. Blocks for milliseconds.
/// Calls run on a thread of the journal's own, many in one transaction; they may come from several
/// loops. A cancel does not cut a call short: it ends when it is committed. Before the journal
/// goes, all its calls must be over.
/// Throws Error{journal}: in use (by which process), not a journal, of a newer format, damaged, or
/// not to be written, and which file.
std::unique_ptr<Journal> open_journal(const std::string& path);

/// Opens a journal for reading, also while another process writes it. Calls that would write fail
/// with Error{journal}. They run in place: only for programs that do nothing else meanwhile.
std::unique_ptr<Journal> open_journal_read_only(const std::string& path);

/// The number of the process that holds the journal at `path` now; nothing where none does.
std::optional<std::string> journal_holder(const std::string& path);

/// A copy in memory of the journal at `path`, for a dry run: calls that write change the copy
/// alone, and nothing is left beside the file. Throws Error{journal} as open_journal does.
std::unique_ptr<Journal> open_journal_copy(const std::string& path);

/// A journal that lives in memory, for tests and simulation: no file, no thread; a call is over
/// when it is awaited.
std::unique_ptr<Journal> open_journal_in_memory();

/// A connection that outlives the journals on it, one after the other: for simulations that open
/// thousands a second, where opening is most of the work.
class KeptConnection {
 public:
  KeptConnection();
  ~KeptConnection();
  KeptConnection(const KeptConnection&) = delete;
  KeptConnection& operator=(const KeptConnection&) = delete;

  /// The next journal opens its file anew.
  void drop();

  // For journals. Null while none is kept.
  std::unique_ptr<state::Database> take();
  void keep(std::unique_ptr<state::Database> database);

 private:
  std::unique_ptr<state::Database> database_;
};

/// The journal at `path` of the SQLite VFS of this name, made when it is missing: for simulated
/// disks. No lock and no thread; a call is over when it is awaited. Throws Error{journal}.
///
/// With `kept`, the connection comes from there and goes back there with the journal, whose end
/// then empties the log into the file, as closing does. It must always be the same file. Before
/// each journal the caller has the VFS wipe the wal-index: then nothing that the connection has in
/// memory counts, and SQLite recovers from the log as after another program's crash.
std::unique_ptr<Journal> open_journal_on(const std::string& vfs, const std::string& path,
                                         KeptConnection* kept = nullptr);

}  // namespace postferry
