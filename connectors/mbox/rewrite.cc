#include "connectors/mbox/rewrite.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "engine/error.h"

namespace postferry::mbox {
namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kMostHeader = 1 << 20;

/// A file beside another that is gone unless it took its place.
class Beside {
 public:
  explicit Beside(const std::string& path) : path_(path), name_(path + ".postferry.tmp") {
    file_ = files::open_file(name_, O_WRONLY | O_CREAT | O_TRUNC);
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() {
    if (!placed_) ::unlink(name_.c_str());
  }
  void write(std::string_view bytes) { files::write_all(file_, bytes, name_); }
  void place(const struct stat& like) {
    // Root keeps the owner; nobody else needs to.
    const bool owned = ::fchown(file_.descriptor(), like.st_uid, like.st_gid) == 0;
    if (owned || like.st_uid == ::geteuid()) {
      if (::fchmod(file_.descriptor(), like.st_mode & 07777) != 0) {
        files::fail("cannot set the mode of the file", name_, errno);
      }
    }
    files::sync(file_, name_);
    if (::rename(name_.c_str(), path_.c_str()) != 0) {
      files::fail("cannot replace the file", path_, errno);
    }
    placed_ = true;
    files::sync_directory(std::filesystem::path(path_).parent_path().string());
  }

 private:
  std::string path_, name_;
  files::File file_;
  bool placed_ = false;
};

void copy(Bytes& bytes, std::uint64_t from, std::uint64_t to, Beside& into) {
  while (from < to) {
    const std::string piece =
        bytes.read(from, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, to - from)));
    if (piece.empty())
      throw Error(ErrorKind::transient, "the mbox became shorter while it was read");
    into.write(piece);
    from += piece.size();
  }
}

/// Fields whose place the head takes.
bool replaced(std::string_view line) {
  static constexpr std::string_view kNames[] = {
      "x-imapbase:", "x-imap:", "x-uid:", "status:", "x-status:", "x-keywords:"};
  return std::ranges::any_of(kNames, [line](std::string_view name) {
    return line.size() >= name.size() &&
           std::ranges::equal(line.substr(0, name.size()), name, [](char a, char b) {
             return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
           });
  });
}

/// The header of foreign mail as it stands, without those fields; `used` is how much was read.
std::string header_without_own(Bytes& bytes, const Entry& entry, std::uint64_t& used) {
  const auto most = std::min<std::uint64_t>(kMostHeader, entry.end - entry.content);
  const std::string text = bytes.read(entry.content, static_cast<std::size_t>(most));
  std::string out;
  std::size_t at = 0;
  bool left_out = false;
  while (at < text.size()) {
    const std::size_t newline = text.find('\n', at);
    if (newline == std::string::npos) break;
    const std::string_view line = std::string_view(text).substr(at, newline + 1 - at);
    if (line == "\n" || line == "\r\n") break;
    const bool goes_on = line.front() == ' ' || line.front() == '\t';
    left_out = goes_on ? left_out : replaced(line);
    if (!left_out) out += line;
    at = newline + 1;
  }
  used = at;
  return out;
}

}  // namespace

Envelope own_envelope(Bytes& bytes, const Entry& entry) {
  Decoder decoder(entry.form, entry.size_bytes);
  std::string out;  // the first of the message's own bytes ends it
  for (std::uint64_t at = entry.content; at < entry.end && out.empty();) {
    constexpr std::uint64_t kUsualHead = 4 << 10;
    const std::string piece =
        bytes.read(at, static_cast<std::size_t>(std::min(kUsualHead, entry.end - at)));
    if (piece.empty()) break;
    at += piece.size();
    decoder.feed(piece, out);
  }
  return decoder.envelope();
}

void rewrite(const std::string& path, Bytes& bytes, const std::vector<Entry>& entries,
             const std::function<Fate(std::size_t)>& fate) {
  const std::optional<struct stat> like = files::status_of(path);
  if (!like) throw Error(ErrorKind::transient, "the mbox is gone", printable(path));
  Beside beside(path);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Fate what = fate(i);
    if (!what.stays) continue;
    const Entry& entry = entries[i];
    if (!what.head) {
      copy(bytes, entry.offset, entry.end, beside);
      continue;
    }
    copy(bytes, entry.offset, entry.content, beside);
    beside.write(format_head(*what.head));
    if (entry.form == Form::foreign) {
      std::uint64_t used = 0;
      beside.write(header_without_own(bytes, entry, used));
      copy(bytes, entry.content + used, entry.end, beside);
    } else {
      copy(bytes, entry.content + own_envelope(bytes, entry).bytes, entry.end, beside);
    }
  }
  beside.place(*like);
}

}  // namespace postferry::mbox
