// A disk in memory, for SQLite: what is written is in the page cache until it is synced. A killed
// process loses nothing of it; a power cut loses or tears what was not synced. It can be full. One
// process at a time uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "state/sqlite_journal.h"
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

  /// A process starts: it knows nothing of what any before it had in memory. Its connection, where
  /// it may be that of the one before. It is not after a power cut or where the disk was full, nor
  /// on a disk that is told to be cold: then the process opens its files itself.
  KeptConnection* start();
  void set_cold(bool cold);
  /// The process is gone: what is still open writes into the void from now on.
  void kill() { dead_ = true; }
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
    struct Shared {
      std::unique_ptr<char[]> bytes;
      std::size_t size;
    };
    std::vector<Shared> shared;  // the wal-index

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
  void sync(File& file);

 private:
  void drop_connection();

  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::map<std::string, std::shared_ptr<File>> files_;
  KeptConnection kept_;
  bool dead_ = false;   // the process, until the next one starts
  bool cold_ = false;   // no connection is kept
  bool stale_ = false;  // the next process has to open its files itself
  std::optional<std::uint64_t> room_;
  bool was_full_ = false;
  std::uint64_t writes_ = 0;
};

}  // namespace postferry::sim
