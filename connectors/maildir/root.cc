#include "connectors/maildir/root.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "connectors/files/directory.h"
#include "connectors/files/dot_lock.h"
#include "connectors/files/file.h"
#include "connectors/files/level_name.h"
#include "connectors/mail/mod_utf7.h"
#include "engine/error.h"

namespace postferry::maildir {
namespace {

constexpr std::size_t kMostNoteBytes = 64 << 10;
constexpr std::size_t kMostSubscriptionBytes = 64 << 20;
constexpr std::size_t kMostFolders = 100'000;
constexpr int kMostDepth = 64;
constexpr std::string_view kVersion2 = "V\t2\n\n";

std::vector<std::string> subdirectories(const std::string& path) {
  std::vector<std::string> out;
  for (files::Listed& entry : files::list_directory(path)) {
    if (entry.directory) out.push_back(std::move(entry.name));
  }
  return out;
}

/// What a directory's name cannot tell: `postferry-folder` in it, lines of `role ROLE` and `name
/// NAME`.
struct Note {
  Role role = Role::none;
  std::optional<FolderName> name;
};

std::string note_path(const std::string& directory) { return directory + "/postferry-folder"; }

Note read_note(const std::string& directory) {
  Note note;
  const std::string text = files::read_whole(note_path(directory), kMostNoteBytes);
  for (const std::string_view line : mail::split_levels(text, '\n')) {
    if (line.starts_with("name ")) note.name = FolderName::parse(line.substr(5));
    for (const Role role : {Role::all, Role::archive, Role::drafts, Role::flagged, Role::important,
                            Role::junk, Role::sent, Role::trash}) {
      if (line == std::string("role ") + to_string(role)) note.role = role;
    }
  }
  return note;
}

/// As Dovecot writes a level in the file of subscriptions: tab, line end and the escape itself are
/// written with \001.
std::string tab_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\t':
        out += "\001t";
        break;
      case '\n':
        out += "\001n";
        break;
      case '\r':
        out += "\001r";
        break;
      case '\001':
        out += "\0011";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string Root::absolute(const std::string& directory) const {
  return directory.empty() ? path_ : path_ + "/" + directory;
}

void Root::add_directories_below(const std::string& directory, int depth,
                                 std::vector<std::string>& out) const {
  if (depth == kMostDepth) return;
  for (const std::string& name : subdirectories(absolute(directory))) {
    if (name[0] == '.' || name == "cur" || name == "new" || name == "tmp") continue;
    const std::string below = directory.empty() ? name : directory + "/" + name;
    if (Folder::exists(absolute(below))) out.push_back(below);
    if (out.size() > kMostFolders) {
      throw Error(ErrorKind::local, "too many folders", printable(path_));
    }
    add_directories_below(below, depth + 1, out);
  }
}

/// Of all folders but INBOX.
std::vector<std::string> Root::directories() const {
  std::vector<std::string> out;
  if (layout_ == Layout::fs) {
    add_directories_below({}, 0, out);
    return out;
  }
  for (std::string& name : subdirectories(path_)) {
    if (name[0] == '.' && Folder::exists(absolute(name))) out.push_back(std::move(name));
  }
  return out;
}

FolderName Root::name_of(const std::string& directory) const {
  return read_note(absolute(directory)).name.value_or(folder_at(directory, layout_));
}

bool Root::exists() const { return Folder::exists(path_) || !directories().empty(); }

/// Two directories may spell one name: each is a folder, and the name is that of the one that is
/// spelled as we would.
std::map<FolderName, std::string> Root::named() const {
  std::map<FolderName, std::string> out;
  if (Folder::exists(path_)) out.emplace(FolderName::parse("INBOX"), "");
  std::vector<std::pair<FolderName, std::string>> others;
  for (std::string& directory : directories()) {
    FolderName name = name_of(directory);
    if (directory_of(name, layout_) == directory) {
      out.emplace(std::move(name), std::move(directory));
    } else {
      others.emplace_back(std::move(name), std::move(directory));
    }
  }
  for (const auto& [name, directory] : others) {
    std::vector<std::string> levels = name.levels();
    for (int copy = 2; !out.emplace(FolderName(levels), directory).second; ++copy)
      levels.back() = fmt::format("{} ({})", name.levels().back(), copy);
  }
  return out;
}

std::vector<FolderInfo> Root::list(Moment now) const {
  const std::set<FolderName> subscribed = subscriptions();
  std::map<FolderName, std::string> all = named();
  all.try_emplace(FolderName::parse("INBOX"));
  std::vector<FolderInfo> out;
  for (const auto& [name, directory] : all) {
    FolderInfo& info = out.emplace_back();
    info.name = name;
    info.role = name.is_inbox() ? Role::inbox : read_note(absolute(directory)).role;
    info.subscribed = subscribed.contains(info.name);
    info.numbers = Folder::glance(absolute(directory), now);
  }
  return out;
}

std::optional<std::string> Root::find(const FolderName& folder) const {
  const std::string usual = absolute(directory_of(folder, layout_));
  if (Folder::exists(usual)) return usual;
  // Another program may have written the name in its own way.
  const std::map<FolderName, std::string> all = named();
  const auto at = all.find(folder);
  if (at == all.end()) return std::nullopt;
  return absolute(at->second);
}

void Root::create(const FolderName& folder, Role role) {
  const std::string relative = directory_of(folder, layout_);
  const std::string directory = absolute(relative);
  if (Folder::exists(directory)) return;
  constexpr std::size_t kMostPath = 3800;  // PATH_MAX is 4096, and a file's name goes below
  if (folder.empty() || directory.size() > kMostPath) {
    throw Error(ErrorKind::rejected, "the name is too long for a file system",
                "folder " + folder.to_string());
  }
  std::string note;
  if (role != Role::none && role != Role::inbox) note += fmt::format("role {}\n", to_string(role));
  if (folder_at(relative, layout_) != folder) note += fmt::format("name {}\n", folder.to_string());
  files::make_directories(directory);
  if (!note.empty()) files::replace(note_path(directory), note, ".tmp");
  if (layout_ == Layout::maildirpp && !relative.empty()) {
    files::open_file(directory + "/maildirfolder", O_WRONLY | O_CREAT);
  }
  Folder::make(directory);
  files::sync_directory(path_);
}

std::set<FolderName> Root::subscriptions() const {
  std::string text = files::read_whole(path_ + "/subscriptions", kMostSubscriptionBytes);
  const bool by_levels = text.starts_with(kVersion2);
  if (by_levels) text.erase(0, kVersion2.size());
  std::set<FolderName> out;
  for (std::string_view line : mail::split_levels(text, '\n')) {
    if (line.empty()) continue;
    const char delimiter = by_levels ? '\t' : layout_ == Layout::fs ? '/' : '.';
    std::vector<std::string> levels;
    for (const std::string_view level : mail::split_levels(line, delimiter)) {
      levels.push_back(files::unescape_level(level));
    }
    out.emplace(std::move(levels));
  }
  return out;
}

bool Root::subscribe(const FolderName& folder) const {
  if (subscriptions().contains(folder)) return true;
  files::make_directories(path_);
  const std::string path = path_ + "/subscriptions";
  const std::optional<files::DotLock> lock = files::DotLock::try_take(path + ".lock");
  if (!lock) return false;
  std::string text = files::read_whole(path, kMostSubscriptionBytes);
  if (text.empty()) text = kVersion2;
  const char delimiter = text.starts_with(kVersion2) ? '\t' : layout_ == Layout::fs ? '/' : '.';
  std::string line;
  for (const std::string& level : escape_levels(folder, layout_)) {
    if (!line.empty()) line += delimiter;
    line += tab_escaped(level);
  }
  files::replace(path, text + line + "\n", ".tmp");
  return true;
}

}  // namespace postferry::maildir
