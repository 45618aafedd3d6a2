// Where the bytes of an mbox come from: a file, or a part of an archive that can only be read from
// its beginning. Blocks.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/files/file.h"

namespace postferry::mbox {

class Bytes {
 public:
  virtual ~Bytes() = default;
  /// Up to `limit` bytes at `offset`; fewer only at the end. Reading forwards is cheap.
  virtual std::string read(std::uint64_t offset, std::size_t limit) = 0;
};

class FileBytes final : public Bytes {
 public:
  FileBytes(files::File file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  std::string read(std::uint64_t offset, std::size_t limit) override {
    return files::read_at(file_, offset, limit, path_);
  }
  const files::File& file() const { return file_; }

 private:
  files::File file_;
  std::string path_;
};

}  // namespace postferry::mbox
