// A zip archive as it is read: which files are in it, and the bytes of one at any offset, without
// unpacking it to a disk. Blocks. The only place that knows zlib and minizip.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "connectors/mbox/bytes.h"

namespace postferry::mbox {

/// One file of an archive.
struct ZipMember {
  std::string name;          // as it stands in the archive, levels parted by `/`
  std::uint64_t at = 0;      // where its packed bytes begin
  std::uint64_t packed = 0;  // how many these are
  std::uint64_t size_bytes = 0;
  std::uint32_t crc = 0;
  bool deflated = false;  // else stored
};

/// By its first bytes.
bool is_zip(const std::string& path);

/// Its files that `wanted` names, in the archive's order. Throws Error{local} for what is no zip
/// archive or not all of one, for more files than anybody has, and for a wanted one that is
/// encrypted, packed in another way than by deflate, named so that it would lie outside, or so
/// small for its size that it is no mail (a zip bomb).
std::vector<ZipMember> list_zip(const std::string& path, bool (*wanted)(const std::string& name));

/// From where a packed file can be read again without its beginning.
struct ZipEntryPoints;

/// One member's bytes. Read once from the beginning to the end, it checks the CRC and finds entry
/// points; others that are made with these can read anywhere, at the cost of some megabytes'
/// unpacking. Throws Error{local} for what is damaged.
class ZipBytes final : public Bytes {
 public:
  ZipBytes(std::string path, ZipMember member);
  ZipBytes(std::string path, ZipMember member, std::shared_ptr<const ZipEntryPoints> points);
  ~ZipBytes() override;

  std::string read(std::uint64_t offset, std::size_t limit) override;
  /// After all of it was read in order.
  std::shared_ptr<const ZipEntryPoints> entry_points() const;

 private:
  class Inflater;
  [[noreturn]] void damaged(const std::string& how) const;
  std::string read_stored(std::uint64_t offset, std::size_t limit);
  void check(std::uint64_t offset, const std::string& bytes);

  std::string path_;
  ZipMember member_;
  files::File file_;
  std::unique_ptr<Inflater> inflater_;
  std::uint64_t checked_ = 0;  // bytes whose CRC is known
  std::uint32_t crc_ = 0;
};

}  // namespace postferry::mbox
