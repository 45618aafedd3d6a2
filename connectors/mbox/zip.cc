#include "connectors/mbox/zip.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <minizip/unzip.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/error.h"

namespace postferry::mbox {
namespace {

constexpr std::uint64_t kMostFiles = 10'000'000;
constexpr std::size_t kMostName = 4096;
constexpr unsigned kEncrypted = 1 | 1 << 6 | 1 << 13;  // the flags of all its kinds
/// Deflate can make a thousand bytes of one; mail, most of it base64 and text, is packed to a
/// quarter at best.
constexpr std::uint64_t kMostRatio = 200, kNoMatter = std::uint64_t{64} << 20;
constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kWindow = 32 << 10;
/// Of unpacked bytes between entry points: what a jump costs, against 32 KiB for each point.
constexpr std::uint64_t kLeastStride = 8 << 20;
constexpr std::uint64_t kMostPoints = 1024;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::local, what, printable(path));
}

struct CloseZip {
  void operator()(void* zip) const { unzClose(zip); }
};

bool leads_outside(std::string_view name) {
  if (name.starts_with('/') || name.contains('\\') || name.contains('\0')) return true;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    if (name.substr(0, end) == "..") return true;
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return false;
}

void check_member(const std::string& path, const ZipMember& member, const unz_file_info64& info) {
  const auto refuse = [&](const std::string& why) {
    fail(path, fmt::format("{} in the archive {}", printable(member.name), why));
  };
  if (leads_outside(member.name)) refuse("is named so that it would lie outside of it");
  if ((info.flag & kEncrypted) != 0) refuse("is encrypted: unpack it first");
  if (info.compression_method != 0 && info.compression_method != Z_DEFLATED)
    refuse(fmt::format("is packed by method {}, which is not known here: unpack it first",
                       info.compression_method));
  if (!member.deflated && member.packed != member.size_bytes)
    refuse("has two sizes: the archive is damaged");
  if (member.size_bytes > kNoMatter && member.size_bytes / kMostRatio > member.packed)
    refuse(fmt::format("would become {} bytes out of {}: that is no mail", member.size_bytes,
                       member.packed));
}

}  // namespace

bool is_zip(const std::string& path) {
  const files::File file = files::open_if_there(path, O_RDONLY);
  if (!file.open() || files::is_directory(path)) return false;
  const std::string start = files::read_at(file, 0, 4, path);
  return start == "PK\x03\x04" || start == "PK\x05\x06" || start == "PK\x07\x08";
}

std::vector<ZipMember> list_zip(const std::string& path, bool (*wanted)(const std::string& name)) {
  const std::unique_ptr<void, CloseZip> zip(unzOpen64(path.c_str()));
  if (!zip)
    fail(path,
         "this is no zip archive, or not all of one: the directory at its end is missing or "
         "damaged");
  unz_global_info64 all{};
  if (unzGetGlobalInfo64(zip.get(), &all) != UNZ_OK || all.number_entry > kMostFiles)
    fail(path, "the directory of the zip archive cannot be read");
  std::vector<ZipMember> out;
  std::uint64_t packed = 0;
  int status = all.number_entry == 0 ? UNZ_END_OF_LIST_OF_FILE : unzGoToFirstFile(zip.get());
  while (status == UNZ_OK) {
    unz_file_info64 info{};
    std::array<char, kMostName> name{};
    if (unzGetCurrentFileInfo64(zip.get(), &info, name.data(), name.size(), nullptr, 0, nullptr,
                                0) != UNZ_OK)
      fail(path, "the directory of the zip archive cannot be read");
    ZipMember member;
    member.name.assign(name.data(), std::min<std::size_t>(info.size_filename, name.size()));
    if (wanted(member.name)) {
      member.packed = info.compressed_size;
      member.size_bytes = info.uncompressed_size;
      member.crc = static_cast<std::uint32_t>(info.crc);
      member.deflated = info.compression_method == Z_DEFLATED;
      check_member(path, member, info);
      if (unzOpenCurrentFile(zip.get()) != UNZ_OK)
        fail(path, fmt::format("{} in the archive cannot be read: the archive is damaged",
                               printable(member.name)));
      member.at = unzGetCurrentFileZStreamPos64(zip.get());
      unzCloseCurrentFile(zip.get());
      packed += member.packed;
      out.push_back(std::move(member));
    }
    status = unzGoToNextFile(zip.get());
  }
  if (status != UNZ_END_OF_LIST_OF_FILE) fail(path, "the directory of the zip archive is damaged");
  // Members that share their bytes are how small archives become endless.
  const std::optional<struct stat> whole = files::status_of(path);
  if (!whole || packed > static_cast<std::uint64_t>(whole->st_size))
    fail(path, "the files of the zip archive claim more bytes than it has");
  return out;
}

struct ZipEntryPoints {
  struct Point {
    std::uint64_t out = 0;  // unpacked bytes before it
    std::uint64_t in = 0;   // packed ones; the last of them may be used in part
    int bits = 0;           // of that byte that come after the point
    std::string window;     // what unpacking goes back to
  };
  std::vector<Point> points;
};

/// Unpacks raw deflate (RFC 1951), forwards, from any entry point.
class ZipBytes::Inflater {
 public:
  Inflater(const ZipBytes& owner, std::shared_ptr<const ZipEntryPoints> points)
      : owner_(owner), known_(std::move(points)) {
    if (!known_) found_ = std::make_shared<ZipEntryPoints>();
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) fail(owner.path_, "zlib cannot begin");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  std::string read(std::uint64_t offset, std::size_t limit) {
    go_to(offset);
    while (out_ < offset) {
      const std::string passed =
          unpack(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, offset - out_)));
      if (passed.empty()) return passed;
    }
    return unpack(limit);
  }
  const std::shared_ptr<ZipEntryPoints>& found() const { return found_; }

 private:
  /// Back, or far forward, by the nearest entry point; else it is unpacked until there.
  void go_to(std::uint64_t offset) {
    const std::vector<ZipEntryPoints::Point>& points = known_ ? known_->points : found_->points;
    auto at = std::ranges::upper_bound(points, offset, {}, &ZipEntryPoints::Point::out);
    const ZipEntryPoints::Point* point = at == points.begin() ? nullptr : &*std::prev(at);
    const bool ahead = point != nullptr && point->out > out_;
    if (offset >= out_ && !ahead) return;
    if (inflateReset2(&stream_, -MAX_WBITS) != Z_OK) owner_.damaged("cannot be unpacked");
    buffer_.clear();
    stream_.avail_in = 0;
    ended_ = false;
    in_ = point ? point->in : 0;
    out_ = point ? point->out : 0;
    if (!point) return;
    if (point->bits > 0) {
      const std::string byte = files::read_at(owner_.file_, owner_.member_.at + in_ - 1, 1, "");
      if (byte.empty()) owner_.damaged("ends too early");
      inflatePrime(&stream_, point->bits, static_cast<unsigned char>(byte[0]) >> (8 - point->bits));
    }
    inflateSetDictionary(&stream_, reinterpret_cast<const Bytef*>(point->window.data()),
                         static_cast<uInt>(point->window.size()));
  }

  void fill() {
    const auto most = std::min<std::uint64_t>(kPiece, owner_.member_.packed - in_);
    buffer_ = files::read_at(owner_.file_, owner_.member_.at + in_, static_cast<std::size_t>(most),
                             owner_.path_);
    if (buffer_.empty()) owner_.damaged("ends too early");
    in_ += buffer_.size();
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_in = static_cast<uInt>(buffer_.size());
  }

  std::string unpack(std::size_t limit) {
    const std::uint64_t left = owner_.member_.size_bytes - out_;
    std::string out(static_cast<std::size_t>(std::min<std::uint64_t>(limit, left)), '\0');
    std::size_t filled = 0;
    while (filled < out.size() && !ended_) {
      // At the end zlib may have taken everything and not yet given everything.
      const bool all_in = in_ == owner_.member_.packed;
      if (stream_.avail_in == 0 && !all_in) fill();
      stream_.next_out = reinterpret_cast<Bytef*>(out.data()) + filled;
      stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size() - filled, 1u << 30));
      const uInt room = stream_.avail_out;
      const int status = inflate(&stream_, Z_BLOCK);
      const bool stuck = all_in && stream_.avail_in == 0 && room == stream_.avail_out;
      filled += room - stream_.avail_out;
      out_ += room - stream_.avail_out;
      if (status == Z_STREAM_END) {
        ended_ = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        owner_.damaged("cannot be unpacked");
      } else if (stuck) {
        owner_.damaged("ends too early");
      } else {
        note_entry_point();
      }
    }
    if (ended_ && out_ < owner_.member_.size_bytes) owner_.damaged("is shorter than it should be");
    out.resize(filled);
    return out;
  }

  void note_entry_point() {
    if (!found_) return;
    const bool block_ends = (stream_.data_type & 128) != 0 && (stream_.data_type & 64) == 0;
    const std::uint64_t stride = std::max(kLeastStride, owner_.member_.size_bytes / kMostPoints);
    const std::uint64_t last = found_->points.empty() ? 0 : found_->points.back().out;
    if (!block_ends || out_ < last + stride) return;
    ZipEntryPoints::Point& point = found_->points.emplace_back();
    point.out = out_;
    point.in = in_ - stream_.avail_in;
    point.bits = stream_.data_type & 7;
    point.window.resize(kWindow);
    uInt length = 0;
    inflateGetDictionary(&stream_, reinterpret_cast<Bytef*>(point.window.data()), &length);
    point.window.resize(length);
  }

  const ZipBytes& owner_;
  std::shared_ptr<const ZipEntryPoints> known_;
  std::shared_ptr<ZipEntryPoints> found_;  // where none are known
  z_stream stream_{};
  std::string buffer_;
  std::uint64_t in_ = 0, out_ = 0;  // bytes read and unpacked so far
  bool ended_ = false;
};

ZipBytes::ZipBytes(std::string path, ZipMember member)
    : ZipBytes(std::move(path), std::move(member), nullptr) {}

ZipBytes::ZipBytes(std::string path, ZipMember member, std::shared_ptr<const ZipEntryPoints> points)
    : path_(std::move(path)),
      member_(std::move(member)),
      file_(files::open_file(path_, O_RDONLY)),
      checked_(points ? member_.size_bytes : 0) {
  if (member_.deflated) inflater_ = std::make_unique<Inflater>(*this, std::move(points));
}

ZipBytes::~ZipBytes() = default;

void ZipBytes::damaged(const std::string& how) const {
  fail(path_,
       fmt::format("{} in the archive {}: the archive is damaged", printable(member_.name), how));
}

std::string ZipBytes::read(std::uint64_t offset, std::size_t limit) {
  if (offset >= member_.size_bytes) return {};
  std::string out = inflater_ ? inflater_->read(offset, limit) : read_stored(offset, limit);
  check(offset, out);
  return out;
}

std::string ZipBytes::read_stored(std::uint64_t offset, std::size_t limit) {
  const auto most = std::min<std::uint64_t>(limit, member_.size_bytes - offset);
  std::string out =
      files::read_at(file_, member_.at + offset, static_cast<std::size_t>(most), path_);
  if (out.size() < most) damaged("ends too early");
  return out;
}

/// The first time through.
void ZipBytes::check(std::uint64_t offset, const std::string& bytes) {
  if (offset != checked_) return;
  crc_ = static_cast<std::uint32_t>(
      crc32_z(crc_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  checked_ += bytes.size();
  if (checked_ == member_.size_bytes && crc_ != member_.crc) damaged("has another CRC");
}

std::shared_ptr<const ZipEntryPoints> ZipBytes::entry_points() const {
  return inflater_ ? inflater_->found() : std::make_shared<ZipEntryPoints>();
}

}  // namespace postferry::mbox
