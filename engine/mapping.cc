#include "engine/mapping.h"

#include <algorithm>
#include <optional>
#include <set>

#include "engine/digest.h"
#include "engine/role_names.h"

namespace postferry {

namespace {

bool left_out_role(Role role) {
  return role == Role::all || role == Role::important || role == Role::flagged;
}

bool carried_role(Role role) {
  return role != Role::none && role != Role::inbox && !left_out_role(role);
}

bool declares_roles(const std::vector<FolderInfo>& folders) {
  return std::ranges::any_of(
      folders, [](const FolderInfo& f) { return f.role != Role::none && f.role != Role::inbox; });
}

/// The one folder of each role: declared where the server declares any, else the first, highest
/// up, whose name suggests it.
std::map<Role, FolderName> folders_by_role(const std::vector<FolderInfo>& folders) {
  const bool declared = declares_roles(folders);
  std::map<Role, FolderName> out;
  for (const FolderInfo& folder : folders) {
    if (!folder.selectable) continue;
    const Role role = declared ? folder.role : role_by_name(folder.name);
    if (!carried_role(role)) continue;
    const auto [at, fresh] = out.try_emplace(role, folder.name);
    if (!fresh && folder.name.levels().size() < at->second.levels().size())
      at->second = folder.name;
  }
  return out;
}

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

std::string trimmed(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

/// An ASCII character that no server has anything against.
bool is_plain(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') || c == ' ' || c == '-' || c == '_';
}

std::string plainer_level(const std::string& level) {
  constexpr std::size_t kMostBytes = 60;
  const bool ascii_is_plain =
      std::ranges::all_of(level, [](char c) { return !is_ascii(c) || is_plain(c); });
  std::string plain;
  for (const char c : level) {
    if (is_ascii(c)) {
      plain += is_plain(c) ? c : '_';
    } else if (!ascii_is_plain) {
      plain += c;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      plain += '_';  // for a whole character
    }
  }
  const auto in_character = [&](std::size_t at) {
    return (static_cast<unsigned char>(plain[at]) & 0xC0) == 0x80;
  };
  if (plain.size() > kMostBytes) {
    std::size_t end = kMostBytes;
    while (end > 0 && in_character(end)) --end;
    plain.resize(end);
  }
  return plain == level ? level : trimmed(plain) + mark_of(level);
}

class Mapper {
 public:
  explicit Mapper(const MappingRequest& request)
      : request_(request),
        source_roles_(folders_by_role(request.source)),
        target_roles_(folders_by_role(request.target)) {
    for (const FolderInfo& folder : request.target)
      existing_.emplace(identity(folder.name), &folder);
    for (const auto& [source, target] : request.decided) used_.insert(identity(target));
  }

  Mapping run() {
    std::vector<const FolderInfo*> rest;
    for (const FolderInfo& folder : request_.source) {
      if (left_out_role(folder.role) && !folder.holds_rest) {
        mapping_.left_out.push_back(folder);
      } else if (folder.selectable && !place_firmly(folder)) {
        rest.push_back(&folder);
      }
    }
    // Names that fit as they are go first: they keep their names when a changed one would clash.
    for (bool fits : {true, false})
      for (const FolderInfo* folder : rest)
        if ((fitted(folder->name) == folder->name) == fits) place_by_name(*folder);
    std::ranges::sort(mapping_.folders, {}, [](const MappedFolder& f) { return f.source.name; });
    return std::move(mapping_);
  }

 private:
  /// What an earlier run decided, what the user wishes, INBOX, and roles.
  bool place_firmly(const FolderInfo& folder) {
    const std::optional<FolderName> wish = wished(folder.name);
    if (const auto at = request_.decided.find(folder.name); at != request_.decided.end()) {
      if (wish && identity(*wish) != identity(at->second))
        mapping_.notes.push_back(
            "folder " + folder.name.to_string() + " goes to " + at->second.to_string() +
            ", where its mail has gone before, and not, as --map says, to " + wish->to_string() +
            ": what is decided stays, or all of it would cross again");
      place(folder, at->second);
      return true;
    }
    if (wish) {
      place(folder, *wish);
      return true;
    }
    if (folder.name.is_inbox()) {
      place(folder, folder.name);
      return true;
    }
    return folder.holds_rest ? place_rest(folder) : place_by_role(folder, role_of(folder));
  }

  /// Where the user wants it.
  std::optional<FolderName> wished(const FolderName& name) const {
    for (const auto& [from, to] : request_.wishes) {
      const auto& levels = name.levels();
      if (levels.size() < from.levels().size() ||
          !std::equal(from.levels().begin(), from.levels().end(), levels.begin()))
        continue;
      std::vector<std::string> renamed = to.levels();
      renamed.insert(renamed.end(),
                     levels.begin() + static_cast<std::ptrdiff_t>(from.levels().size()),
                     levels.end());
      return fitted(FolderName(std::move(renamed)));
    }
    return std::nullopt;
  }

  /// What no other folder has is archived mail: Gmail keeps it so, others have a folder for it.
  bool place_rest(const FolderInfo& folder) {
    const auto there = std::ranges::find(request_.target, true, &FolderInfo::holds_rest);
    if (there == request_.target.end())
      return !source_roles_.contains(Role::archive) && place_by_role(folder, Role::archive);
    place(folder, there->name);
    return true;
  }

  bool place_by_role(const FolderInfo& folder, Role role) {
    const auto at = target_roles_.find(role);
    if (role == Role::none || at == target_roles_.end() || taken(at->second)) return false;
    if (at->second != folder.name)
      mapping_.notes.push_back("folder " + folder.name.to_string() + " goes to " +
                               at->second.to_string() + ", the target's folder for " +
                               to_string(role));
    place(folder, at->second);
    return true;
  }

  void place_by_name(const FolderInfo& folder) {
    FolderName name = fitted(folder.name);
    for (int n = 2; taken(name); ++n) {
      std::vector<std::string> levels = fitted(folder.name).levels();
      levels.back() += "_" + std::to_string(n);
      name = FolderName(std::move(levels));
    }
    if (name != folder.name)
      mapping_.notes.push_back("folder " + folder.name.to_string() + " goes to " +
                               name.to_string() + ": its own name cannot be used on the target");
    place(folder, name);
  }

  void place(const FolderInfo& folder, const FolderName& name) {
    used_.insert(identity(name));
    MappedFolder mapped{folder, name, role_of(folder), false, {}, false};
    if (const auto at = existing_.find(identity(name));
        at != existing_.end() && at->second->selectable) {
      mapped.target = at->second->name;  // in the target's spelling
      mapped.exists = true;
      mapped.target_numbers = at->second->numbers;
      mapped.target_subscribed = at->second->subscribed;
    }
    mapping_.folders.push_back(std::move(mapped));
  }

  Role role_of(const FolderInfo& folder) const {
    for (const auto& [role, name] : source_roles_)
      if (name == folder.name) return role;
    return Role::none;
  }

  bool taken(const FolderName& name) const { return used_.contains(identity(name)); }

  std::string identity(const FolderName& name) const {
    return request_.traits.names_ignore_case ? lower_case(name.to_string()) : name.to_string();
  }

  /// The name as the target can store it.
  FolderName fitted(const FolderName& name) const {
    const TargetTraits& traits = request_.traits;
    std::vector<std::string> levels;
    for (const std::string& level : name.levels()) {
      std::string fit;
      for (char c : level) {
        const bool bad = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ||
                         (c == traits.delimiter && c != '\0') ||
                         (c == '/' && !traits.slash_in_names) ||
                         traits.forbidden_chars.find(c) != std::string::npos;
        fit += bad ? '_' : c;
      }
      if (traits.trims_names) fit = trimmed(fit);
      levels.push_back(fit.empty() ? "_" : fit);
    }
    if (!traits.inbox_has_children && levels.size() > 1 && lower_case(levels[0]) == "inbox")
      levels.erase(levels.begin());
    if (std::ranges::find(traits.reserved_names, lower_case(levels[0])) !=
        traits.reserved_names.end())
      levels[0] += '_';
    if (traits.delimiter == '\0' && levels.size() > 1) {
      std::string flat;
      for (const std::string& level : levels) flat += (flat.empty() ? "" : "_") + level;
      levels = {flat};
    }
    return FolderName(std::move(levels));
  }

  const MappingRequest& request_;
  std::map<Role, FolderName> source_roles_, target_roles_;
  std::map<std::string, const FolderInfo*> existing_;
  std::set<std::string> used_;
  Mapping mapping_;
};

}  // namespace

void leave_out_what_is_gone(std::map<FolderName, FolderName>& decided,
                            const std::vector<FolderInfo>& listed) {
  std::erase_if(decided, [&listed](const auto& one) {
    return std::ranges::find(listed, one.first, &FolderInfo::name) == listed.end();
  });
}

std::string mark_of(std::string_view text) {
  const char* const digits = "0123456789abcdef";
  const Sha256 hash = sha256(text);
  std::string mark = "_";
  for (const std::size_t i : {0u, 1u, 2u}) {
    mark += digits[hash[i] >> 4];
    mark += digits[hash[i] & 15];
  }
  return mark;
}

std::optional<FolderName> plainer_name(const FolderName& name) {
  if (name.is_inbox()) return std::nullopt;
  std::vector<std::string> levels;
  for (const std::string& level : name.levels()) {
    // Cyrus has one INBOX, whatever is above it.
    const bool second = !levels.empty() && FolderName({level}).is_inbox();
    levels.push_back(second ? level + mark_of(level) : plainer_level(level));
  }
  FolderName plain(std::move(levels));
  return plain == name ? std::nullopt : std::optional(std::move(plain));
}

Mapping map_folders(const MappingRequest& request) { return Mapper(request).run(); }

std::vector<FolderInfo> sources_of(const std::vector<MappedFolder>& folders) {
  std::vector<FolderInfo> sources;
  for (const MappedFolder& folder : folders) sources.push_back(folder.source);
  return sources;
}

}  // namespace postferry
