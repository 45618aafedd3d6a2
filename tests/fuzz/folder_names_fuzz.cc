// A folder may have any name, from a server, from a file or from whoever runs us: on disks it leads
// nowhere but below its root, as text it comes back, and the target's folders are names that the
// target takes, no two source folders in one.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/files/level_name.h"
#include "connectors/mbox/tree.h"
#include "engine/error.h"
#include "engine/glob.h"
#include "engine/mapping.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;

namespace {

constexpr std::size_t kMostNames = 20;

FolderName name_of(std::string_view line) {
  std::vector<std::string> levels(1);
  for (const char c : line) {
    if (c == '/') {
      levels.emplace_back();
    } else {
      levels.back() += c;
    }
  }
  return FolderName(std::move(levels));
}

std::vector<FolderName> names_of(std::string_view text) {
  std::set<FolderName> names;
  while (!text.empty() && names.size() < kMostNames) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const FolderName name = name_of(line);
    if (!name.empty()) names.insert(name);
  }
  return {names.begin(), names.end()};
}

bool is_file_name(std::string_view level) {
  return !level.empty() && level != "." && level != ".." && level.size() <= 255 &&
         level.find_first_of(std::string_view("/\0", 2)) == level.npos;
}

void check_level(const std::string& level) {
  for (const files::Escape escape :
       {files::Escape::leading_dot, files::Escape::first, files::Escape::dots}) {
    const std::string escaped = files::escape_level(level, escape);
    require(!escaped.starts_with('.'));
    const std::string file = files::shortened(escaped);
    require(is_file_name(file) && files::shortened(file) == file);
    // Names are UTF-8 wherever they come from; what is not is kept as well as can be.
    const std::string back = files::unescape_level(escaped);
    require(files::unescape_level(files::escape_level(back, escape)) == back);
  }
}

void check_mbox_path(const FolderName& name) {
  static const mbox::Tree tree("/nonexistent/mail");
  std::string path;
  try {
    path = tree.path_for(name);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::rejected);
    return;
  }
  constexpr std::string_view kRoot = "/nonexistent/mail/";
  require(path.starts_with(kRoot));
  for (std::string_view rest = std::string_view(path).substr(kRoot.size()); !rest.empty();) {
    const std::string_view level = rest.substr(0, rest.find('/'));
    require(is_file_name(level) && !level.starts_with('.'));
    rest.remove_prefix(std::min(rest.size(), level.size() + 1));
  }
}

void check_text(const FolderName& name) {
  const std::string text = name.to_string();
  require(FolderName::parse(text) == name);
  require(glob_matches("**", name));
  if (text.find('*') == text.npos) require(glob_matches(text, name));
  if (const std::optional<FolderName> plain = plainer_name(name)) {
    require(!plain->empty() && *plain != name && plain->levels().size() == name.levels().size());
    for (const std::string& level : plain->levels()) require(level.size() <= 67 + 8);
  }
}

TargetTraits traits_for(unsigned how) {
  TargetTraits traits;
  traits.delimiter = "/.\\\0"[how & 3];
  traits.names_ignore_case = (how & 4) != 0;
  traits.slash_in_names = (how & 8) != 0;
  traits.trims_names = (how & 16) != 0;
  traits.inbox_has_children = (how & 32) == 0;
  if ((how & 64) != 0) traits.forbidden_chars = "*%\"";
  if ((how & 128) != 0) traits.reserved_names = {"lost+found", "a"};
  return traits;
}

void check_fits(const FolderName& name, const TargetTraits& traits) {
  require(!name.empty());
  require(traits.delimiter != '\0' || name.levels().size() == 1);
  for (const std::string& level : name.levels())
    for (const char c : level) {
      require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
      require(traits.delimiter == '\0' || c != traits.delimiter);
      require(traits.forbidden_chars.find(c) == std::string::npos);
    }
}

void check_mapping(const std::vector<FolderName>& names, unsigned how) {
  MappingRequest request;
  request.traits = traits_for(how);
  for (const FolderName& name : names) {
    FolderInfo info;
    info.name = name;
    if (name.is_inbox()) info.role = Role::inbox;
    request.source.push_back(std::move(info));
  }
  const Mapping mapping = map_folders(request);
  require(mapping.folders.size() + mapping.left_out.size() == names.size());
  std::set<FolderName> targets;
  request.target = {};
  for (const MappedFolder& mapped : mapping.folders) {
    check_fits(mapped.target, request.traits);
    require(targets.insert(mapped.target).second);
    request.decided.emplace(mapped.source.name, mapped.target);
  }
  // What is decided stays.
  const Mapping again = map_folders(request);
  require(again.folders.size() == mapping.folders.size());
  for (std::size_t i = 0; i < again.folders.size(); ++i)
    require(again.folders[i].target == mapping.folders[i].target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = text_of(data, size);
  const unsigned how = take_byte(text);
  const std::vector<FolderName> names = names_of(text);
  for (const FolderName& name : names) {
    for (const std::string& level : name.levels()) check_level(level);
    check_mbox_path(name);
    check_text(name);
    (void)glob_matches(text.substr(0, 100), name);
  }
  check_mapping(names, how);
  for (const auto& [name, role] : mbox::Tree::parse_notes(text).roles) require(role != Role::none);
  return 0;
}
