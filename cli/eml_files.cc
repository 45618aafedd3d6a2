#include "cli/eml_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>

#include "cli/descriptor.h"
#include "cli/output.h"
#include "engine/digest.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kLongestReadable = 60;

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorKind::local, std::strerror(errno), path);
}

std::string directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path();
  return directory.empty() ? "." : directory;
}

/// A file that is on the disk is lost all the same while its name is not.
void sync_names_in(const std::string& directory) {
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0 || ::fsync(opened.get()) != 0) fail(directory);
}

}  // namespace

std::string safe_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain ? c : '-';
    if (name.size() == kLongestReadable) break;
  }
  const Sha256 hash = sha256(text);
  name += '-';
  for (std::size_t i = 0; i < 4; ++i) name += fmt::format("{:02x}", hash[i]);
  return name;
}

std::string eml_name(const FolderName& folder, const MessageKey& key) {
  return safe_name(folder.to_string() + "\n" + key.to_string()) + ".eml";
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return sync_names_in(directory_of(path));
  if (errno != EEXIST) fail(path);
}

Task<void> write_eml(Body body, std::string path) {
  const std::string part = path + ".part";
  ::unlink(part.c_str());  // of a process that was killed
  const Descriptor file(
      ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) fail(part);
  const int fd = file.get();
  std::exception_ptr failure;
  try {
    co_await body.write_to([fd, &path](std::string_view bytes) -> Task<void> {
      if (!write_all(fd, bytes)) fail(path);
      co_return;
    });
    struct stat there {};
    if (::fsync(fd) != 0) fail(path);
    if (::lstat(path.c_str(), &there) == 0) throw Error(ErrorKind::local, "is there already", path);
    if (::rename(part.c_str(), path.c_str()) != 0) fail(path);
    sync_names_in(directory_of(path));
  } catch (const Error&) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  ::unlink(part.c_str());
  std::rethrow_exception(failure);
}

}  // namespace postferry::cli
