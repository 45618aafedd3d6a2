#include "connectors/mbox/file.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "connectors/mbox/lock.h"
#include "connectors/mbox/rewrite.h"
#include "engine/error.h"

namespace postferry::mbox {
files::Stamp MboxFile::stamp_of(const files::File& file) const {
  return files::stamp_of(files::status_of(file, path_));
}

bool MboxFile::refresh(Moment now) {
  std::optional<Lock> lock = Lock::try_take(path_, Lock::For::reading);
  if (!lock) return false;
  if (bytes_ && settled_ && stamp_of(lock->file()) == stamp_) return true;
  index(lock->file(), now);
  return true;
}

void MboxFile::index(const files::File& file, Moment now) {
  bytes_ = std::make_shared<FileBytes>(files::open_file(path_, O_RDONLY), path_);
  stamp_ = stamp_of(file);
  entries_.clear();
  IndexOptions options;
  options.now_seconds = now / 1'000'000'000;
  const bool good = index_mbox(*bytes_, options, [this](Entry entry, std::string_view) {
    entries_.push_back(std::move(entry));
  });
  if (!good) {
    throw Error(ErrorKind::local, "the file does not begin as an mbox does, with `From `",
                printable(path_));
  }
  settled_ = stamp_.latest() < now - files::kGrainNs;
}

std::unique_ptr<files::MessageReader> MboxFile::read(std::size_t index) const {
  const std::optional<struct stat> status = files::status_of(path_);
  const files::Stamp now = status ? files::stamp_of(*status) : files::Stamp{};
  // One that has grown may have been written anew where it stands: Dovecot and mutt do so.
  if (now != stamp_) return nullptr;
  return read_message(bytes_, entries_[index]);
}

bool MboxFile::remove(const std::vector<std::size_t>& indices, Moment now) {
  if (indices.empty()) return true;
  std::optional<Lock> lock = Lock::try_take(path_, Lock::For::writing);
  if (!lock) return false;
  if (stamp_of(lock->file()) != stamp_) return false;
  std::vector<bool> leaves(entries_.size());
  for (const std::size_t i : indices) leaves[i] = true;
  rewrite(path_, *bytes_, entries_, [&leaves](std::size_t i) {
    return Fate{!leaves[i], std::nullopt};
  });
  lock.reset();
  index(files::open_file(path_, O_RDONLY), now);
  return true;
}

}  // namespace postferry::mbox
