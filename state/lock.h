// One writer at a time: an operating system's lock beside the journal.
// Must not know what is in the journal.
#pragma once

#include <optional>
#include <string>

namespace postferry::state {

/// The process that holds `path`.lock, by its number, if it lives. Does not touch the lock: whoever
/// is about to take it is not in the way of somebody who only looks.
std::optional<std::string> lock_holder(const std::string& path);

/// Holds `path`.lock from construction to destruction. The kernel drops the lock with the process,
/// so a stale one cannot be; the file is only its handle, and says who holds it.
class FileLock {
 public:
  /// Throws Error{journal}: another process (or this one, twice) holds it, and its number; or the
  /// lock file cannot be made.
  explicit FileLock(const std::string& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  std::string lock_path_;
  int file_ = -1;
};

}  // namespace postferry::state
