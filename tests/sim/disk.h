// A disk in memory, for SQLite: what is written is in the page cache until it is synced. A killed
// process loses nothing of it; a power cut loses or tears what was not synced. It can be full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/dice.h"

struct sqlite3_vfs;

namespace postferry::sim {

class Disk {
 public:
  using Files = std::map<std::string, std::string>;  // name and bytes

  /// Registers itself as an SQLite VFS called `name`, until it goes.
  explicit Disk(std::string name);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  const std::string& name() const { return name_; }

  /// Another disk, with just these files, all of them synced.
  void reset(const Files& files);
  Files contents() const;

  /// The process is gone: handles that are still open write into the void from now on.
  void kill();
  /// The same, and of what was not synced each sector may be lost.
  void cut_power(Dice& dice);
  /// No file grows by more than this many bytes in all, until it is called again.
  void set_room(std::optional<std::uint64_t> bytes) { room_ = bytes; }
  bool was_full() const { return was_full_; }
  std::uint64_t writes() const { return writes_; }

  // For the VFS.

  struct Write {
    std::size_t offset;
    std::string before, after;
    std::size_t size_before;
  };
  struct File {
    std::string bytes;
    std::vector<Write> unsynced;
    std::vector<std::unique_ptr<char[]>> shared;  // the wal-index
    bool orphan = false;

    void apply(std::size_t offset, std::string_view data);
  };
  std::shared_ptr<File> open(const std::string& name, bool create);
  bool exists(const std::string& name) const { return files_.contains(name); }
  /// A dead program's connection, when it is closed, would remove the log that outlives it.
  void remove(const std::string& name) {
    if (!dead_) files_.erase(name);
  }
  /// False: the disk is full.
  bool write(File& file, std::size_t offset, std::string_view data);
  void truncate(File& file, std::size_t size);

 private:
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::map<std::string, std::shared_ptr<File>> files_;
  bool dead_ = false;  // the program, until the next opens a file
  std::optional<std::uint64_t> room_;
  bool was_full_ = false;
  std::uint64_t writes_ = 0;
};

}  // namespace postferry::sim
