// flock(2) on a file of its own: locks of fcntl(2) on the database itself would be dropped whenever
// any descriptor of it is closed, SQLite's with them.

#include "state/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "engine/error.h"

namespace postferry::state {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& words) {
  throw Error(ErrorKind::journal, words, "journal " + path);
}

/// What the holder wrote into the file: its process number. Empty in the moment before it wrote.
std::string holder_of(int file) {
  std::array<char, 24> bytes{};
  const ssize_t size = pread(file, bytes.data(), bytes.size(), 0);
  std::string holder;
  for (ssize_t i = 0; i < size && bytes[static_cast<std::size_t>(i)] >= '0' &&
                      bytes[static_cast<std::size_t>(i)] <= '9';
       ++i) {
    holder += bytes[static_cast<std::size_t>(i)];
  }
  return holder;
}

/// True when `file` is still what `path` names: the last holder may have removed it meanwhile.
bool still_there(int file, const std::string& path) {
  struct stat ours {};
  struct stat there {};
  return fstat(file, &ours) == 0 && stat(path.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/// What is written over must hold no more than a process number.
bool may_be_lock(int file) {
  constexpr off_t kMostBytes = 24;
  struct stat there {};
  if (fstat(file, &there) != 0 || !S_ISREG(there.st_mode) || there.st_size > kMostBytes)
    return false;
  return there.st_size == 0 || !holder_of(file).empty();
}

}  // namespace

std::optional<std::string> lock_holder(const std::string& path) {
  const int file = open((path + ".lock").c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::string holder = holder_of(file);
  close(file);
  // The file of a process that was killed stays. A process that may not be signalled lives, too.
  pid_t pid = 0;
  std::from_chars(holder.data(), holder.data() + holder.size(), pid);
  if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) return std::nullopt;
  return holder;
}

FileLock::FileLock(const std::string& path) : lock_path_(path + ".lock") {
  while (true) {
    const int file = open(lock_path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) fail(path, "cannot make the lock " + lock_path_ + ": " + std::strerror(errno));
    if (!may_be_lock(file)) {
      close(file);
      fail(path, lock_path_ + " is no lock of ours, and is left as it is; move it away");
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string holder = holder_of(file);
      close(file);
      if (error != EWOULDBLOCK) {
        fail(path, "cannot lock " + lock_path_ + ": " + std::strerror(error));
      }
      fail(path, "in use by " + (holder.empty() ? "another process" : "process " + holder) +
                     "; wait for its end, or stop it and run again");
    }
    if (still_there(file, lock_path_)) {
      file_ = file;
      break;
    }
    close(file);
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(file_, 0) != 0 ||
      pwrite(file_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    const int error = errno;
    close(file_);
    fail(path, "cannot write the lock " + lock_path_ + ": " + std::strerror(error));
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : lock_path_(std::move(other.lock_path_)), file_(std::exchange(other.file_, -1)) {}

FileLock::~FileLock() {
  if (file_ < 0) return;
  unlink(lock_path_.c_str());  // While it is still held: nobody else's can be removed.
  close(file_);
}

}  // namespace postferry::state
