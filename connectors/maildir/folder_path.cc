#include "connectors/maildir/folder_path.h"

#include <algorithm>

#include "connectors/files/level_name.h"
#include "connectors/mail/mod_utf7.h"

namespace postferry::maildir {
namespace {

/// Levels that would be taken for a folder's own parts, with the layout fs.
bool reserved(std::string_view level) {
  static constexpr std::string_view kParts[] = {"cur", "new", "tmp", "subscriptions"};
  static constexpr std::string_view kStarts[] = {"dovecot", "maildir", "courier", "postferry"};
  return std::ranges::find(kParts, level) != std::end(kParts) ||
         std::ranges::any_of(kStarts,
                             [&](std::string_view start) { return level.starts_with(start); });
}

std::string escape_level(const std::string& level, Layout layout, bool first) {
  using files::Escape;
  if (layout == Layout::fs && reserved(level)) return files::escape_level(level, Escape::first);
  const bool home = level.starts_with('~') && first;  // Dovecot would take it for one
  if (layout == Layout::maildirpp) {
    std::string out = files::escape_level(level, Escape::dots);
    return home ? "\\7e" + out.substr(1) : out;
  }
  return files::escape_level(level, home ? Escape::first : Escape::leading_dot);
}

}  // namespace

std::vector<std::string> escape_levels(const FolderName& folder, Layout layout) {
  std::vector<std::string> out;
  for (const std::string& level : folder.levels()) {
    out.push_back(escape_level(level, layout, out.empty()));
  }
  return out;
}

std::string directory_of(const FolderName& folder, Layout layout) {
  if (folder.is_inbox()) return {};
  std::string out;
  for (std::string& level : escape_levels(folder, layout)) {
    if (layout == Layout::maildirpp) {
      out += "." + level;
    } else {
      out += (out.empty() ? "" : "/") + files::shortened(std::move(level));
    }
  }
  return layout == Layout::maildirpp ? files::shortened(std::move(out)) : out;
}

FolderName folder_at(std::string_view directory, Layout layout) {
  if (directory.empty()) return FolderName::parse("INBOX");
  const char delimiter = layout == Layout::maildirpp ? '.' : '/';
  if (layout == Layout::maildirpp) directory.remove_prefix(1);
  std::vector<std::string> levels;
  for (const std::string_view level : mail::split_levels(directory, delimiter)) {
    levels.push_back(files::unescape_level(level));
  }
  return FolderName(std::move(levels));
}

}  // namespace postferry::maildir
