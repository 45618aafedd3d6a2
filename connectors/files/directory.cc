#include "connectors/files/directory.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "connectors/files/file.h"

namespace postferry::files {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// What a link leads to, in `status`. False where that has another owner (whoever runs us may read
/// what the link's owner may not), or where it leads back up.
bool follow(const std::string& link, const std::string& directory, struct stat& status) {
  const uid_t owner = status.st_uid;
  if (::stat(link.c_str(), &status) != 0 || status.st_uid != owner) return false;
  if (!S_ISDIR(status.st_mode)) return true;
  const std::string to = real_path(link) + "/";
  return !(real_path(directory) + "/").starts_with(to);
}

}  // namespace

std::vector<Listed> list_directory(const std::string& path) {
  std::vector<Listed> out;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) {
    if (errno == ENOENT || errno == ENOTDIR) return out;
    fail("cannot read the directory", path, errno);
  }
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    const std::string full = path + "/" + name;
    if (::lstat(full.c_str(), &status) != 0) continue;
    if (S_ISLNK(status.st_mode) && !follow(full, path, status)) continue;
    if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) {
      out.push_back({name, S_ISDIR(status.st_mode), stamp_of(status)});
    }
  }
  if (errno != 0) fail("cannot read the directory", path, errno);
  std::ranges::sort(out, {}, &Listed::name);
  return out;
}

}  // namespace postferry::files
