// A lock that is a file beside the locked one, as mail programs have agreed on for decades. Holds
// off other programs, and other sessions of this one.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace postferry::files {

/// Held until it is destroyed. Off the loop.
class DotLock {
 public:
  /// Takes `path` (as in dovecot-uidlist.lock) if nobody has it; nothing when it is held. A lock
  /// whose holder has ended, or that is older than `stale` by its own disk's time, is broken.
  /// Throws Error{local} when no file can be made there.
  static std::optional<DotLock> try_take(const std::string& path,
                                         std::chrono::seconds stale = std::chrono::seconds(120));
  DotLock(DotLock&& other) noexcept;
  DotLock& operator=(DotLock&&) = delete;
  ~DotLock();

 private:
  explicit DotLock(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// "PID:HOST", as Dovecot writes it into its locks.
std::string process_mark();
/// Whether `mark` names a process of this host that has ended.
bool has_ended(std::string_view mark);

}  // namespace postferry::files
