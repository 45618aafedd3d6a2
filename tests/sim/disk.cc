// The file system of the simulated disk; vfs.cc shows it to SQLite.
#include "tests/sim/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/sim/vfs.h"

namespace postferry::sim {
namespace {

constexpr std::size_t kSector = 512;

}  // namespace

Disk::Disk(std::string name) : name_(std::move(name)), vfs_(make_vfs(*this)) {
  if (sqlite3_vfs_register(vfs_.get(), 0) != SQLITE_OK) throw std::runtime_error("no VFS");
}

Disk::~Disk() {
  drop_connection();
  sqlite3_vfs_unregister(vfs_.get());
}

void Disk::reset(const Files& files) {
  dead_ = true;
  room_.reset();
  was_full_ = false;
  writes_ = 0;
  // What a connection holds open stays the same file, with other bytes in it.
  std::erase_if(files_, [](const auto& named) { return named.second.use_count() == 1; });
  for (auto& [name, file] : files_) {
    file->bytes.clear();
    file->unsynced.clear();
  }
  for (const auto& [name, bytes] : files) {
    std::shared_ptr<File>& file = files_[name];
    if (!file) file = std::make_shared<File>();
    file->bytes = bytes;
  }
}

Disk::Files Disk::contents() const {
  Files files;
  for (const auto& [name, file] : files_) files.emplace(name, file->bytes);
  return files;
}

void Disk::set_cold(bool cold) {
  if (cold) drop_connection();
  cold_ = cold;
}

/// Its log is on the disk already, or not to be there.
void Disk::drop_connection() {
  dead_ = true;
  kept_.drop();
}

KeptConnection* Disk::start() {
  if (std::exchange(stale_, false) || cold_) drop_connection();
  dead_ = false;
  for (auto& [name, file] : files_)
    for (File::Shared& shared : file->shared) std::fill_n(shared.bytes.get(), shared.size, '\0');
  return cold_ ? nullptr : &kept_;
}

void Disk::cut_power(Dice& dice) {
  kill();
  stale_ = true;
  for (auto& [name, file] : files_) {
    const std::vector<Write> writes = std::move(file->unsynced);
    file->unsynced.clear();
    for (auto at = writes.rbegin(); at != writes.rend(); ++at) {
      file->apply(at->offset, at->before);
      file->bytes.resize(at->size_before);
    }
    const auto fate = dice.below(3);  // all lost, all there, or each sector for itself
    if (fate == 0) continue;
    std::size_t gap = std::string::npos;
    for (const Write& write : writes) {
      const std::string_view after = write.after;
      for (std::size_t begin = 0; begin < after.size();) {
        const std::size_t end =
            std::min(after.size(), begin + kSector - (write.offset + begin) % kSector);
        if (fate == 1 || dice.one_in(2)) {
          file->apply(write.offset + begin, after.substr(begin, end - begin));
        } else {
          gap = std::min(gap, write.offset + begin);
        }
        begin = end;
      }
    }
    // What is behind a gap in the log counts for nothing, unless one fills it that does the very
    // same under the same salt. That is random, but not in a kept connection.
    if (name.ends_with("-wal") && gap < file->bytes.size()) file->bytes.resize(gap);
  }
}

void Disk::File::apply(std::size_t offset, std::string_view data) {
  if (data.empty()) return;
  if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size());
  std::ranges::copy(data, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

std::shared_ptr<Disk::File> Disk::open(const std::string& name, bool create) {
  if (name.empty()) return std::make_shared<File>();  // temporary, nobody else's
  const auto found = files_.find(name);
  if (found != files_.end()) return found->second;
  if (!create) return nullptr;
  return files_.emplace(name, std::make_shared<File>()).first->second;
}

bool Disk::write(File& file, std::size_t offset, std::string_view data) {
  if (dead_) return true;
  const std::size_t end = offset + data.size();
  const std::size_t growth = end > file.bytes.size() ? end - file.bytes.size() : 0;
  if (room_ && growth > *room_) {
    was_full_ = stale_ = true;
    return false;
  }
  if (room_) *room_ -= growth;
  ++writes_;
  const std::size_t kept = offset < file.bytes.size()
                               ? std::min(data.size(), file.bytes.size() - offset)
                               : std::size_t{0};
  std::string before = kept > 0 ? file.bytes.substr(offset, kept) : std::string();
  file.unsynced.push_back({offset, std::move(before), std::string(data), file.bytes.size()});
  file.apply(offset, data);
  return true;
}

void Disk::truncate(File& file, std::size_t size) {
  if (dead_ || size >= file.bytes.size()) return;
  if (size == 0) {  // A log that is emptied is as gone as one that is removed.
    file.bytes.clear();
    file.unsynced.clear();
    return;
  }
  file.unsynced.push_back({size, file.bytes.substr(size), "", file.bytes.size()});
  file.bytes.resize(size);
}

void Disk::sync(File& file) {
  if (!dead_) file.unsynced.clear();
}

}  // namespace postferry::sim
