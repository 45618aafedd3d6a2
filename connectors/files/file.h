// Files and directories, as connectors need them that keep mail on a disk. Every call here blocks:
// it belongs off the loop. Must not know what is in the files.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postferry::files {

/// Throws Error{local} about `path`: what could not be done, and why; that a disk is full is said
/// in these words.
[[noreturn]] void fail(std::string_view what, const std::string& path, int code);

/// An open file. The destructor closes it.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  bool open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

/// As open(2), with O_CLOEXEC; throws Error{local}. New files are for the owner alone.
File open_file(const std::string& path, int flags);
/// The same, but a file that is not there (or no directory on the way) is a closed File.
File open_if_there(const std::string& path, int flags);

struct stat status_of(const File& file, const std::string& path);
/// Nothing where there is no such file.
std::optional<struct stat> status_of(const std::string& path);
bool is_directory(const std::string& path);
/// Without links and dots, as far as it is there.
std::string real_path(const std::string& path);

/// Writes all of it, at the file's position.
void write_all(const File& file, std::string_view bytes, const std::string& path);
/// Up to `limit` bytes at `offset`; fewer only at the end of the file.
std::string read_at(const File& file, std::uint64_t offset, std::size_t limit,
                    const std::string& path);
/// All of a file; empty where there is none. Throws Error{local} beyond `limit` bytes.
std::string read_whole(const std::string& path, std::size_t limit);

void sync(const File& file, const std::string& path);
void sync_directory(const std::string& path);
/// Makes a directory, 0700; true when it was not there. Throws Error{local}.
bool make_directory(const std::string& path);
/// The same with all that is missing above it.
void make_directories(const std::string& path);
/// Puts `bytes` in the place of the file, whole and synced: readers see the old or the new. Writes
/// to `path` + `suffix` first; the caller holds the lock that guards it.
void replace(const std::string& path, std::string_view bytes, std::string_view suffix);

/// Nanoseconds since 1970 of a file's last change.
std::int64_t modified_ns(const struct stat& status);

/// By what a file is told from another, and from itself after a change.
struct Stamp {
  std::uint64_t inode = 0, bytes = 0;
  std::int64_t modified = -1, changed = -1;  // mail programs set the former back
  bool operator==(const Stamp&) const = default;
  std::int64_t latest() const { return modified > changed ? modified : changed; }
};
Stamp stamp_of(const struct stat& status);
/// A change within so long before a look may have come after it: times on disks are that coarse.
inline constexpr std::int64_t kGrainNs = 2'000'000'000;

}  // namespace postferry::files
