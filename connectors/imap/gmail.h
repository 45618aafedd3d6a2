// Gmail shows one message in many folders: a folder is a label (X-GM-EXT-1). All Mail shows them
// all once more; only what has no label that is a carried folder is carried from there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "connectors/imap/capabilities.h"
#include "connectors/imap/codec/response.h"
#include "connectors/imap/names.h"
#include "engine/model.h"

namespace postferry::imap {

/// The labels of folders that are carried, in the spelling of X-GM-LABELS.
using Labels = std::set<std::string, std::less<>>;

/// Whether a folder of this role can list just what no other folder has.
bool holds_rest(const Capabilities& capabilities, Role role);

/// The labels that these folders stand for.
Labels labels_of(const std::vector<FolderInfo>& folders, const FolderNames& names);

/// Whether a message with these labels is in one of the folders that `carried` stands for.
bool shown_elsewhere(const FetchData& fetch, const Labels& carried);

}  // namespace postferry::imap
