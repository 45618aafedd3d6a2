// Labels and folders.
#include "connectors/imap/gmail.h"

#include <algorithm>

namespace postferry::imap {

bool holds_rest(const Capabilities& capabilities, Role role) {
  return role == Role::all && capabilities.has("X-GM-EXT-1");
}

Labels labels_of(const std::vector<FolderInfo>& folders, const FolderNames& names) {
  Labels labels;
  for (const FolderInfo& folder : folders) {
    switch (folder.role) {
      case Role::all:
        break;
      case Role::inbox:
        labels.insert("\\Inbox");
        break;
      case Role::sent:
        labels.insert("\\Sent");
        break;
      case Role::drafts:
        labels.insert({"\\Draft", "\\Drafts"});
        break;
      case Role::junk:
        labels.insert({"\\Spam", "\\Junk"});
        break;
      case Role::trash:
        labels.insert("\\Trash");
        break;
      case Role::flagged:
        labels.insert("\\Starred");
        break;
      case Role::important:
        labels.insert("\\Important");
        break;
      case Role::archive:
      case Role::none:
        labels.insert(names.wire(folder.name));
        break;
    }
  }
  return labels;
}

bool shown_elsewhere(const FetchData& fetch, const Labels& carried) {
  return fetch.gm_labels && std::ranges::any_of(*fetch.gm_labels, [&](const std::string& label) {
           return carried.contains(label);
         });
}

}  // namespace postferry::imap
