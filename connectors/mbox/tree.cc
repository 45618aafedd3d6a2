#include "connectors/mbox/tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "connectors/files/directory.h"
#include "connectors/files/dot_lock.h"
#include "connectors/files/level_name.h"
#include "connectors/mail/mod_utf7.h"
#include "connectors/mbox/codec/from_line.h"
#include "engine/error.h"

namespace postferry::mbox {
namespace {

/// Where Dovecot has its indexes, and looks for no folder.
constexpr std::string_view kBesideIndexes = "/.imap", kNotes = "/.imap/postferry-folders";
constexpr std::size_t kMostNoteBytes = 64 << 20;
constexpr std::size_t kMostFolders = 100'000;
constexpr int kMostDepth = 64;
constexpr std::string_view kMbox = ".mbox", kBelow = ".sbd";
/// Endings of files beside an mbox that are none themselves.
constexpr std::array<std::string_view, 4> kBeside{".lock", ".msf", ".tmp", ".dat"};

bool is_mbox(const std::string& path) {
  const files::File file = files::open_if_there(path, O_RDONLY);
  if (!file.open()) return false;
  const std::string start = files::read_at(file, 0, kFrom.size(), path);
  return kFrom.starts_with(start);  // also of a file that is empty, or just begun
}

bool beside(std::string_view name) {
  return name.starts_with('.') ||
         std::ranges::any_of(kBeside, [&](auto end) { return name.ends_with(end); });
}

/// The name of a level's file, so that no level is taken for something else.
std::string file_name(const std::string& level, bool top) {
  const bool first = level == "subscriptions" || (top && level.starts_with('~'));
  std::string out =
      files::escape_level(level, first ? files::Escape::first : files::Escape::leading_dot);
  const std::size_t dot = out.rfind('.');
  if (dot == std::string::npos || dot == 0) return out;
  const std::string_view end = std::string_view(out).substr(dot);
  if (end == kMbox || end == kBelow || beside(end)) out.replace(dot, 1, "\\2e");
  return out;
}

/// Two files may spell one name: each is a folder.
void add_file(std::vector<std::string> levels, const std::string& path,
              std::map<FolderName, std::string>& out) {
  const std::string last = levels.back();
  for (int copy = 2; !out.emplace(FolderName(levels), path).second; ++copy)
    levels.back() = fmt::format("{} ({})", last, copy);
}

}  // namespace

bool Tree::exists() const { return files::status_of(path_).has_value(); }

bool Tree::is_one_file() const {
  const std::optional<struct stat> status = files::status_of(path_);
  return status ? S_ISREG(status->st_mode) : path_.ends_with(kMbox);
}

void Tree::add_below(const std::string& directory, const std::vector<std::string>& levels,
                     int depth, std::map<FolderName, std::string>& out) const {
  if (depth == kMostDepth) return;
  for (const files::Listed& entry : files::list_directory(directory)) {
    const std::string path = directory + "/" + entry.name;
    if (beside(entry.name)) continue;
    std::string_view name = entry.name;
    const std::string_view end = entry.directory && name.ends_with(kBelow) ? kBelow : kMbox;
    if (name.size() > end.size() && name.ends_with(end)) name.remove_suffix(end.size());
    std::vector<std::string> here = levels;
    here.push_back(files::unescape_level(name));
    if (entry.directory) {
      // As Apple Mail exports a folder.
      if (entry.name.ends_with(kMbox) && is_mbox(path + "/mbox") &&
          files::status_of(path + "/mbox")) {
        add_file(std::move(here), path + "/mbox", out);
        continue;
      }
      add_below(path, here, depth + 1, out);
    } else if (is_mbox(path)) {
      if (out.contains(FolderName(here))) here.back() = files::unescape_level(entry.name);
      add_file(std::move(here), path, out);
    }
    if (out.size() > kMostFolders) {
      throw Error(ErrorKind::local, "too many folders", printable(path_));
    }
  }
}

std::map<FolderName, std::string> Tree::files() const {
  std::map<FolderName, std::string> out;
  if (is_one_file()) {
    if (exists()) out.emplace(FolderName::parse("INBOX"), path_);
  } else {
    add_below(path_, {}, 0, out);
  }
  return out;
}

std::vector<FolderInfo> Tree::describe(const std::map<FolderName, std::string>& files) const {
  const Notes told = notes();
  std::vector<FolderInfo> out;
  for (const auto& [name, path] : files) {
    FolderInfo& info = out.emplace_back();
    info.name = name;
    info.subscribed = told.subscribed.contains(name);
    const auto role = told.roles.find(name);
    if (role != told.roles.end()) info.role = role->second;
    if (name.is_inbox()) info.role = Role::inbox;
  }
  return out;
}

std::optional<std::string> Tree::find(const FolderName& folder) const {
  const std::map<FolderName, std::string> all = files();
  const auto at = all.find(folder);
  if (at != all.end()) return at->second;
  if (is_one_file() || folder.empty()) return std::nullopt;
  const std::string usual = path_for(folder);  // a name that was shortened cannot be read back
  return files::status_of(usual) ? std::optional(usual) : std::nullopt;
}

Tree::Notes Tree::notes() const {
  if (is_one_file()) return {};
  return parse_notes(files::read_whole(path_ + std::string(kNotes), kMostNoteBytes));
}

Tree::Notes Tree::parse_notes(std::string_view text) {
  Notes notes;
  for (std::string_view line : mail::split_levels(text, '\n')) {
    if (line.starts_with("subscribed ")) {
      notes.subscribed.insert(FolderName::parse(line.substr(11)));
    }
    for (const Role role : {Role::all, Role::archive, Role::drafts, Role::flagged, Role::important,
                            Role::junk, Role::sent, Role::trash}) {
      const std::string start = std::string("role ") + to_string(role) + " ";
      if (line.starts_with(start)) {
        notes.roles[FolderName::parse(line.substr(start.size()))] = role;
      }
    }
  }
  return notes;
}

bool Tree::add_note(const std::string& line) const {
  if (is_one_file()) return true;
  files::make_directories(path_ + std::string(kBesideIndexes));
  const std::string path = path_ + std::string(kNotes);
  const std::optional<files::DotLock> lock = files::DotLock::try_take(path + ".lock");
  if (!lock) return false;
  files::replace(path, files::read_whole(path, kMostNoteBytes) + line + "\n", ".tmp");
  return true;
}

std::string Tree::path_for(const FolderName& folder) const {
  if (is_one_file()) {
    if (folder.is_inbox()) return path_;
    throw Error(ErrorKind::rejected, "one mbox file holds one folder, INBOX: give a directory",
                "folder " + folder.to_string());
  }
  constexpr std::size_t kMostPath = 3800;  // PATH_MAX is 4096
  std::string out = path_;
  bool top = true;
  for (const std::string& level : folder.levels()) {
    if (!top) out += kBelow;
    out += "/" + files::shortened(file_name(level, top));
    top = false;
  }
  if (folder.empty() || out.size() > kMostPath) {
    throw Error(ErrorKind::rejected, "the name is too long for a file system",
                "folder " + folder.to_string());
  }
  return out;
}

}  // namespace postferry::mbox
