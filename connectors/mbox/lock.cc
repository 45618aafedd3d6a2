#include "connectors/mbox/lock.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace postferry::mbox {

std::optional<Lock> Lock::try_take(const std::string& path, For what) {
  const bool writing = what == For::writing;
  std::optional<files::DotLock> dot;
  if (writing) {
    std::optional<files::DotLock> taken = files::DotLock::try_take(path + ".lock");
    if (!taken) return std::nullopt;
    dot.emplace(std::move(*taken));
  }
  files::File file = files::open_file(path, writing ? O_RDWR | O_CREAT : O_RDONLY);
  // Of the open file, not of the process: several sessions of one process may hold it.
  struct flock wanted {};
  wanted.l_type = writing ? F_WRLCK : F_RDLCK;
  wanted.l_whence = SEEK_SET;
  if (::fcntl(file.descriptor(), F_OFD_SETLK, &wanted) != 0) {
    if (errno == EAGAIN || errno == EACCES) return std::nullopt;
    // A file system without locks: the file beside it must do.
    if (errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS) {
      files::fail("cannot lock the mbox", path, errno);
    }
  }
  const std::optional<struct stat> now = files::status_of(path);
  const struct stat ours = files::status_of(file, path);
  if (!now || now->st_ino != ours.st_ino || now->st_dev != ours.st_dev) return std::nullopt;
  return Lock(std::move(dot), std::move(file));
}

}  // namespace postferry::mbox
