// Spools on disk. All system calls run off the loop.
#include "engine/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace postferry {
namespace {

/// Owns the descriptor of a file that has no name any more.
class SpoolFile {
 public:
  /// Off the loop.
  explicit SpoolFile(const std::string& directory) : directory_(directory) {
    descriptor_ = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    // EISDIR: a kernel, EOPNOTSUPP: a file system that does not know O_TMPFILE.
    if (descriptor_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
      std::string name = directory + "/postferry-spool-XXXXXX";
      descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
      if (descriptor_ >= 0) ::unlink(name.c_str());
    }
    if (descriptor_ < 0) fail("cannot open a temporary file", errno);
  }
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;
  ~SpoolFile() { ::close(descriptor_); }

  /// Off the loop.
  void write(std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
      ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot write a temporary file", errno);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
  }

  /// Off the loop. Shorter than `limit` only at the end of the file.
  std::string read(std::uint64_t offset, std::size_t limit) {
    std::string out(limit, '\0');
    std::size_t got = 0;
    while (got < limit) {
      ssize_t n =
          ::pread(descriptor_, out.data() + got, limit - got, static_cast<off_t>(offset + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot read a temporary file", errno);
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    out.resize(got);
    return out;
  }

 private:
  [[noreturn]] void fail(const char* what, int code) const {
    std::string reason = code == ENOSPC || code == EDQUOT ? "the disk is full"
                                                          : std::generic_category().message(code);
    throw Error(ErrorKind::local, fmt::format("{}: {}", what, reason), "directory " + directory_);
  }

  std::string directory_;
  int descriptor_ = -1;
};

class DiskBody final : public SpooledBody {
 public:
  DiskBody(Blocking& blocking, std::shared_ptr<SpoolFile> file, std::uint64_t size_bytes)
      : blocking_(blocking), file_(std::move(file)), size_bytes_(size_bytes) {}

  std::uint64_t size_bytes() const override { return size_bytes_; }

  Task<std::string> read(std::uint64_t offset, std::size_t limit) override {
    if (offset >= size_bytes_) co_return std::string();
    std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(limit, size_bytes_ - offset));
    co_return co_await blocking_.run(
        [file = file_, offset, wanted] { return file->read(offset, wanted); });
  }

 private:
  Blocking& blocking_;
  std::shared_ptr<SpoolFile> file_;
  std::uint64_t size_bytes_;
};

class DiskWriter final : public SpoolWriter {
 public:
  DiskWriter(Blocking& blocking, std::shared_ptr<SpoolFile> file)
      : blocking_(blocking), file_(std::move(file)) {}

  Task<void> append(std::string bytes) override {
    assert(file_);
    std::uint64_t length = bytes.size();
    co_await blocking_.run([file = file_, offset = size_bytes_, chunk = std::move(bytes)] {
      file->write(chunk, offset);
    });
    size_bytes_ += length;
  }

  std::shared_ptr<SpooledBody> finish() override {
    assert(file_);
    return std::make_shared<DiskBody>(blocking_, std::exchange(file_, nullptr), size_bytes_);
  }

 private:
  Blocking& blocking_;
  std::shared_ptr<SpoolFile> file_;
  std::uint64_t size_bytes_ = 0;
};

class DiskSpool final : public SpoolFactory {
 public:
  DiskSpool(Blocking& blocking, std::string directory)
      : blocking_(blocking), directory_(std::move(directory)) {}

  Task<std::unique_ptr<SpoolWriter>> open() override {
    std::shared_ptr<SpoolFile> file = co_await blocking_.run(
        [directory = directory_] { return std::make_shared<SpoolFile>(directory); });
    co_return std::make_unique<DiskWriter>(blocking_, std::move(file));
  }

 private:
  Blocking& blocking_;
  std::string directory_;
};

}  // namespace

std::unique_ptr<SpoolFactory> make_disk_spool(Blocking& blocking, std::string directory) {
  return std::make_unique<DiskSpool>(blocking, std::move(directory));
}

}  // namespace postferry
