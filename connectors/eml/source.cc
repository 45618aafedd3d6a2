// PATH itself is INBOX, as far as there are files in it; so is a directory `INBOX`. A file's name
// means nothing but its order. No flag is kept in such files: all messages are taken as read, as
// those of an archive are; X-Unsent, which some programs write into drafts, makes a draft.
#include "connectors/eml/source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "connectors/files/archive.h"
#include "connectors/files/directory.h"
#include "connectors/files/file.h"
#include "connectors/files/level_name.h"
#include "connectors/files/wire_text.h"
#include "connectors/mail/date.h"
#include "engine/error.h"

namespace postferry::eml {
namespace {

constexpr std::size_t kPiece = 128 << 10;
constexpr std::size_t kHeader = 256 << 10;
constexpr int kMostDepth = 64;

bool is_message(std::string_view name) {
  if (name.starts_with('.') || name.size() < 5) return false;
  std::string end(name.substr(name.size() - 4));
  for (char& c : end) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return end == ".eml";
}

class Reader final : public files::MessageReader {
 public:
  Reader(files::File file, std::string path, std::uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}
  std::uint64_t size_bytes() const override { return size_; }
  std::string next(std::size_t limit) override {
    const std::string piece = files::read_at(file_, at_, limit, path_);
    at_ += piece.size();
    return text_.convert(piece);
  }

 private:
  files::File file_;
  std::string path_;
  std::uint64_t at_ = 0, size_;
  files::WireText text_;
};

/// A file as it was when it was looked at.
struct Seen {
  std::string path;
  files::Stamp stamp;
  std::uint64_t size_bytes = 0;  // of the message
  bool same_file(const struct stat& status) const { return stamp == files::stamp_of(status); }
};

class EmlArchive final : public files::Archive {
 public:
  explicit EmlArchive(std::string path) : path_(std::move(path)) {
    if (!files::is_directory(path_)) {
      throw Error(ErrorKind::usage, "there is no such directory", printable(path_));
    }
  }

  std::vector<FolderInfo> list(files::Moment now) override {
    std::vector<FolderInfo> out;
    for (const auto& [name, directories] : folders()) {
      FolderInfo& info = out.emplace_back();
      info.name = name;
      if (name.is_inbox()) info.role = Role::inbox;
      info.numbers.highest_modseq = files::state_number(messages_in(directories), now);
    }
    return out;
  }

  std::optional<files::Look> open(const FolderName& folder, files::Moment now) override {
    const auto all = folders();
    const auto at = all.find(folder);
    if (at == all.end()) {
      throw Error(ErrorKind::rejected, "there is no such folder", "folder " + folder.to_string());
    }
    seen_.clear();
    const Files messages = messages_in(at->second);
    files::Look out;
    out.state = files::state_number(messages, now);
    for (const auto& [path, stamp] : messages) {
      if (auto filed = look_at(path, now)) out.messages.push_back(std::move(*filed));
    }
    return out;
  }

  std::unique_ptr<files::MessageReader> read(std::size_t index) override {
    const Seen& known = seen_[index];
    files::File file = files::open_if_there(known.path, O_RDONLY);
    if (!file.open() || !known.same_file(files::status_of(file, known.path))) return nullptr;
    return std::make_unique<Reader>(std::move(file), known.path, known.size_bytes);
  }

  bool remove(const std::vector<std::size_t>& indices, files::Moment) override {
    for (const std::size_t index : indices) {
      const Seen& known = seen_[index];
      const std::optional<struct stat> status = files::status_of(known.path);
      if (!status || !known.same_file(*status)) return false;
      if (::unlink(known.path.c_str()) != 0 && errno != ENOENT) {
        files::fail("cannot remove the message", known.path, errno);
      }
    }
    return true;
  }

 private:
  using Files = std::vector<std::pair<std::string, files::Stamp>>;
  static Files messages_in(const std::vector<std::string>& directories) {
    Files out;
    for (const std::string& directory : directories) {
      for (files::Listed& entry : files::list_directory(directory)) {
        if (!entry.directory && is_message(entry.name))
          out.emplace_back(directory + "/" + entry.name, entry.stamp);
      }
    }
    return out;
  }

  /// Each folder with its directories: two spellings may mean one.
  std::map<FolderName, std::vector<std::string>> folders() const {
    std::map<FolderName, std::vector<std::string>> out;
    out[FolderName::parse("INBOX")].push_back(path_);
    add_below(path_, {}, 0, out);
    return out;
  }

  static void add_below(const std::string& directory, const std::vector<std::string>& levels,
                        int depth, std::map<FolderName, std::vector<std::string>>& out) {
    if (depth == kMostDepth) return;
    for (const files::Listed& entry : files::list_directory(directory)) {
      if (!entry.directory || entry.name.starts_with('.')) continue;
      std::vector<std::string> here = levels;
      here.push_back(files::unescape_level(entry.name));
      const std::string path = directory + "/" + entry.name;
      out[FolderName(here)].push_back(path);
      add_below(path, here, depth + 1, out);
    }
  }

  std::optional<files::Filed> look_at(const std::string& path, files::Moment now) {
    const files::File file = files::open_if_there(path, O_RDONLY);
    if (!file.open()) return std::nullopt;
    const struct stat status = files::status_of(file, path);
    files::Filed out;
    Digest digest;
    files::WireText text;
    std::string header;
    for (std::uint64_t at = 0;;) {
      const std::string piece = files::read_at(file, at, kPiece, path);
      if (piece.empty()) break;
      at += piece.size();
      const std::string bytes = text.convert(piece);
      if (header.size() < kHeader) header += bytes;
      digest.update(bytes);
      out.size_bytes += bytes.size();
    }
    out.digest = digest.finish();
    if (const auto date = mail::arrival_date(mail::scan_header(header), now / 1'000'000'000)) {
      out.date = {date->unix_seconds, date->zone_minutes};
    } else {
      out.date = {status.st_mtim.tv_sec, 0};
    }
    const bool draft = mail::find_field(header, "X-Unsent").value_or("") == "1";
    out.flags.system = Flags::seen | (draft ? Flags::draft : 0);
    seen_.push_back({path, files::stamp_of(status), out.size_bytes});
    return out;
  }

  std::string path_;
  std::vector<Seen> seen_;
};

}  // namespace

std::unique_ptr<Source> make_source(const ConnectorContext& context, EndSetup setup) {
  const Endpoint& end = setup.endpoint;
  return files::make_archive_source(
      *context.blocking, [path = end.path] { return std::make_unique<EmlArchive>(path); },
      setup.sessions(), end.to_string());
}

}  // namespace postferry::eml
