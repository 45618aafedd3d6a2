#include "connectors/files/dot_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "connectors/files/file.h"
#include "engine/error.h"

namespace postferry::files {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

/// How old a file is by the clock of the disk it is on, which may not be ours (NFS).
std::chrono::seconds age_of(const struct stat& status, const std::string& path) {
  const std::string probe = fmt::format("{}.{}", path, ::getpid());
  const File file = open_file(probe, O_WRONLY | O_CREAT | O_TRUNC);
  const std::int64_t now = modified_ns(status_of(file, probe));
  ::unlink(probe.c_str());
  return std::chrono::seconds((now - modified_ns(status)) / 1'000'000'000);
}

/// Takes a stale lock away; what another process has put in its place meanwhile stays.
bool break_stale(const std::string& path, std::chrono::seconds stale) {
  constexpr std::size_t kMostBytes = 4096;
  const std::optional<struct stat> before = status_of(path);
  if (!before) return true;
  if (!has_ended(read_whole(path, kMostBytes)) && age_of(*before, path) <= stale) return false;
  // Of several breakers one gets it under a name of its own, and sees whether it is the right one.
  const std::string aside = fmt::format("{}.{}.stale", path, ::getpid());
  if (::rename(path.c_str(), aside.c_str()) != 0) return errno == ENOENT;
  const std::optional<struct stat> taken = status_of(aside);
  const bool same = taken && taken->st_ino == before->st_ino && taken->st_mtime == before->st_mtime;
  // A fresh lock goes back, unless its place was taken: then that holder has it as well as ours.
  if (!same && ::link(aside.c_str(), path.c_str()) != 0 && errno != EEXIST)
    fail("cannot put the lock file back", path, errno);
  ::unlink(aside.c_str());
  return same;
}

}  // namespace

std::string process_mark() { return fmt::format("{}:{}", ::getpid(), host_name()); }

bool has_ended(std::string_view mark) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(mark.data(), mark.data() + mark.size(), pid);
  if (error != std::errc() || pid <= 0 || end == mark.data() + mark.size() || *end != ':') {
    return false;
  }
  const std::string_view host = mark.substr(static_cast<std::size_t>(end - mark.data()) + 1);
  return host == host_name() && ::kill(pid, 0) != 0 && errno == ESRCH;
}

std::optional<DotLock> DotLock::try_take(const std::string& path, std::chrono::seconds stale) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const int descriptor =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (descriptor >= 0) {
      const File file(descriptor);
      DotLock lock(path);
      write_all(file, process_mark(), path);
      return lock;
    }
    if (errno != EEXIST) fail("cannot make the lock file", path, errno);
    if (!break_stale(path, stale)) return std::nullopt;
  }
  return std::nullopt;
}

DotLock::DotLock(DotLock&& other) noexcept : path_(std::exchange(other.path_, {})) {}

DotLock::~DotLock() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace postferry::files
