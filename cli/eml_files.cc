#include "cli/eml_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
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

namespace {

constexpr std::size_t kPiece = 64 << 10;

/// A file that is given its name when it is whole.
class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : path_(path), part_(path + ".part"), file_(open_anew(part_)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (!named_) ::unlink(part_.c_str());
  }

  void write(std::string_view bytes) {
    if (!write_all(file_.get(), bytes)) fail(path_);
  }
  void name() {
    if (::fsync(file_.get()) != 0 || ::rename(part_.c_str(), path_.c_str()) != 0) fail(path_);
    named_ = true;
    sync_names_in(directory_of(path_));
  }
  /// Whether the other is a file with the same bytes.
  bool equals(const Descriptor& other) const {
    std::string mine(kPiece, '\0'), its(kPiece, '\0');
    for (off_t at = 0;;) {
      const ssize_t here = ::pread(file_.get(), mine.data(), mine.size(), at);
      const ssize_t there = ::pread(other.get(), its.data(), its.size(), at);
      if (here < 0 || there < 0 || here != there) return false;
      if (here == 0) return true;
      const auto size = static_cast<std::size_t>(here);
      if (std::string_view(mine).substr(0, size) != std::string_view(its).substr(0, size))
        return false;
      at += here;
    }
  }

 private:
  static int open_anew(const std::string& part) {
    ::unlink(part.c_str());  // of a process that was killed
    const int file = ::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) fail(part);
    return file;
  }

  const std::string& path_;
  const std::string part_;
  const Descriptor file_;
  bool named_ = false;
};

}  // namespace

Task<bool> write_eml(Body body, std::string path) {
  NewFile file(path);
  co_await body.write_to([&file](std::string_view bytes) -> Task<void> {
    file.write(bytes);
    co_return;
  });
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0) {
    const Descriptor other(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    co_return S_ISREG(there.st_mode) && other.get() >= 0 && file.equals(other);
  }
  file.name();
  co_return true;
}

void write_text_file(std::string_view text, const std::string& path) {
  NewFile file(path);
  file.write(text);
  file.name();
}

}  // namespace postferry::cli
