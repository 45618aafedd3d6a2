#include "connectors/files/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace postferry::files {

void fail(std::string_view what, const std::string& path, int code) {
  const bool full = code == ENOSPC || code == EDQUOT;
  throw Error(ErrorKind::local,
              fmt::format("{}: {}", what,
                          full ? "the disk is full" : std::generic_category().message(code)),
              printable(path));
}

File::File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File open_file(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) fail("cannot open the file", path, errno);
  return File(descriptor);
}

File open_if_there(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0 && errno != ENOENT && errno != ENOTDIR) {
    fail("cannot open the file", path, errno);
  }
  return File(descriptor);
}

struct stat status_of(const File& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.descriptor(), &status) != 0) fail("cannot look at the file", path, errno);
  return status;
}

std::optional<struct stat> status_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return status;
  if (errno != ENOENT && errno != ENOTDIR) fail("cannot look at the file", path, errno);
  return std::nullopt;
}

std::string real_path(const std::string& path) {
  std::error_code none;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, none);
  return none ? path : real.string();
}

bool is_directory(const std::string& path) {
  const std::optional<struct stat> status = status_of(path);
  return status && S_ISDIR(status->st_mode);
}

void write_all(const File& file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.descriptor(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot write the file", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string read_at(const File& file, std::uint64_t offset, std::size_t limit,
                    const std::string& path) {
  std::string out(limit, '\0');
  std::size_t got = 0;
  while (got < limit) {
    const ssize_t n =
        ::pread(file.descriptor(), out.data() + got, limit - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read the file", path, errno);
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  out.resize(got);
  return out;
}

std::string read_whole(const std::string& path, std::size_t limit) {
  const File file = open_if_there(path, O_RDONLY);
  if (!file.open()) return {};
  const auto size = static_cast<std::uint64_t>(status_of(file, path).st_size);
  if (size > limit) {
    throw Error(ErrorKind::local, fmt::format("the file is larger than {} bytes", limit),
                printable(path));
  }
  return read_at(file, 0, static_cast<std::size_t>(size), path);
}

void sync(const File& file, const std::string& path) {
  if (::fsync(file.descriptor()) != 0) fail("cannot write the file to the disk", path, errno);
}

void sync_directory(const std::string& path) {
  sync(open_file(path, O_RDONLY | O_DIRECTORY), path);
}

bool make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), S_IRWXU) == 0) return true;
  const int code = errno;
  if (code == EEXIST && is_directory(path)) return false;
  fail("cannot make the directory", path, code);
}

void make_directories(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    make_directory(path.substr(0, at));
  }
  make_directory(path);
}

void replace(const std::string& path, std::string_view bytes, std::string_view suffix) {
  const std::string beside = path + std::string(suffix);
  try {
    const File file = open_file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    write_all(file, bytes, beside);
    sync(file, beside);
  } catch (const Error&) {
    ::unlink(beside.c_str());
    throw;
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) fail("cannot replace the file", path, errno);
}

std::int64_t modified_ns(const struct stat& status) {
  return static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
}

Stamp stamp_of(const struct stat& status) {
  const std::int64_t changed =
      static_cast<std::int64_t>(status.st_ctim.tv_sec) * 1'000'000'000 + status.st_ctim.tv_nsec;
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size), modified_ns(status), changed};
}

}  // namespace postferry::files
