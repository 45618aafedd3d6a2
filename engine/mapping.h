// Which target folder each source folder goes to: decided once, on decoded names and the target's
// traits, then kept in the journal. Pure: values in, values out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "engine/target.h"

namespace postferry {

struct MappingRequest {
  std::vector<FolderInfo> source, target;
  TargetTraits traits;
  std::vector<std::pair<FolderName, FolderName>> wishes;  // --map: a folder, and all below it
  /// By earlier runs; never changed. No other folder goes there, though `source` leave the one out.
  std::map<FolderName, FolderName> decided;
};

struct MappedFolder {
  FolderInfo source;
  FolderName target;
  Role role = Role::none;  // to be given if the folder must be made
  bool exists = false;     // on the target, already
  FolderNumbers target_numbers;
  bool target_subscribed = false;
};

struct Mapping {
  std::vector<MappedFolder> folders;
  /// Roles All, Important, Flagged: other folders hold that mail. Not one that holds the rest.
  std::vector<FolderInfo> left_out;
  std::vector<std::string> notes;  // what a person should know, one sentence each
};

/// Two source folders never go to one target folder unless `wishes` say so. Folders that cannot be
/// selected are not mapped.
Mapping map_folders(const MappingRequest& request);

/// Takes out of `decided` what the source does not list: where it went is free for the name that it
/// has now.
void leave_out_what_is_gone(std::map<FolderName, FolderName>& decided,
                            const std::vector<FolderInfo>& listed);

/// The name to try where a target refuses one: in each level what of ASCII is no letter, digit,
/// blank, `-` or `_` is replaced, or, where nothing is, what is not ASCII; and it is cut short. A
/// level that is changed for that, or is called INBOX below another, gets a mark of its own, so
/// that no two become one. Nothing where there is nothing to change.
std::optional<FolderName> plainer_name(const FolderName& name);

/// A suffix for a name that would else be another's as well: a text has the same one everywhere.
std::string mark_of(std::string_view text);

/// The source folders, for Source::carried().
std::vector<FolderInfo> sources_of(const std::vector<MappedFolder>& folders);

}  // namespace postferry
