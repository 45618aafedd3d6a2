#include "connectors/maildir/message_file.h"

#include <fcntl.h>

#include "engine/error.h"

namespace postferry::maildir {
namespace {

/// Ours, and not edited since: then the bytes are those that were sent.
bool as_we_wrote_it(const struct stat& status, const FileName& name) {
  return name.ours && name.size_bytes == static_cast<std::uint64_t>(status.st_size);
}

/// Dovecot can keep mail packed (zlib, mail_compress); no message begins so.
bool is_packed(std::string_view start) {
  return start.starts_with("\x1f\x8b") || start.starts_with("BZh") ||
         start.starts_with("\x28\xb5\x2f\xfd") || start.starts_with("\xfd\x37zXZ") ||
         start.starts_with("Dovecot-LZ4");
}

}  // namespace

InternalDate date_of(const struct stat& status, const FileName& name) {
  return {status.st_mtim.tv_sec, name.ours ? name.zone_minutes : std::int16_t{0}};
}

std::uint64_t likely_size(const struct stat& status, const FileName& name) {
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (as_we_wrote_it(status, name)) return size;
  return name.wire_bytes && name.size_bytes == size ? *name.wire_bytes : size;
}

std::optional<MessageFile> MessageFile::open(const std::string& path, const FileName& name) {
  files::File file = files::open_if_there(path, O_RDONLY);
  if (!file.open()) return std::nullopt;
  const struct stat status = files::status_of(file, path);
  MessageFile out(std::move(file), path);
  out.exact_ = as_we_wrote_it(status, name);
  out.file_bytes_ = static_cast<std::uint64_t>(status.st_size);
  out.date_ = date_of(status, name);
  constexpr std::size_t kStart = 16;
  if (!out.exact_ && is_packed(files::read_at(out.file_, 0, kStart, path)))
    throw Error(ErrorKind::local,
                "the file is compressed, as Dovecot's zlib plugin does it: copy it out of Dovecot "
                "by IMAP, or unpack it",
                printable(path));
  return out;
}

std::uint64_t MessageFile::size_bytes() const {
  if (exact_) return file_bytes_;
  constexpr std::size_t kPiece = 256 << 10;
  files::WireText text;
  std::uint64_t read = 0, added = 0;
  while (true) {
    const std::string piece = files::read_at(file_, read, kPiece, path_);
    if (piece.empty()) return read + added;
    read += piece.size();
    added += text.added(piece);
  }
}

std::string MessageFile::next(std::size_t limit) {
  std::string piece = files::read_at(file_, at_, limit, path_);
  at_ += piece.size();
  return exact_ ? piece : text_.convert(piece);
}

}  // namespace postferry::maildir
