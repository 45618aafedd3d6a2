// One mbox on a disk. Every call blocks: it belongs off the loop, one call at a time. Must not know
// how folders are named.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/mbox/index.h"

namespace postferry::mbox {

using files::Moment;

class MboxFile {
 public:
  /// Of what a link leads to: locks and a new file belong beside that.
  explicit MboxFile(const std::string& path) : path_(files::real_path(path)) {}

  const std::string& path() const { return path_; }
  /// Sees the file as it is now. False when another program holds its lock: try again. Throws
  /// Error{local} when it is no mbox.
  bool refresh(Moment now);
  const std::vector<Entry>& entries() const { return entries_; }
  /// Of the file as it was seen.
  const files::Stamp& stamp() const { return stamp_; }
  /// The message at that place; nothing when the file was changed since refresh().
  std::unique_ptr<files::MessageReader> read(std::size_t index) const;
  /// Takes just these away, by their place: the others are copied to a file beside it, which takes
  /// its place. False when another program holds a lock; then try again from refresh() on.
  bool remove(const std::vector<std::size_t>& indices, Moment now);

 private:
  files::Stamp stamp_of(const files::File& file) const;
  void index(const files::File& file, Moment now);

  std::string path_;
  std::shared_ptr<FileBytes> bytes_;
  std::vector<Entry> entries_;
  files::Stamp stamp_;
  bool settled_ = false;
};

}  // namespace postferry::mbox
