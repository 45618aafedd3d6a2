// X-Gmail-Labels, as Google's exports have it: what a message's labels say of where it belongs and
// of its flags.
//
//   X-Gmail-Labels: Inbox,Starred,Opened,Category Updates,Work/2019,"Culture, arts"
//
// The words for Gmail's own labels are those of the account's language; those of English, German,
// French, Spanish, Italian, Dutch and Portuguese are known. Any other is a label of the user's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace postferry::mbox {

/// Most labels of one message that are looked at, and bytes of one.
inline constexpr std::size_t kMostLabels = 256;
inline constexpr std::size_t kMostLabelBytes = 1000;

/// The labels of the field's value, encoded words decoded and quotes taken off, in its order.
std::vector<std::string> parse_gmail_labels(std::string_view field);

/// What becomes of a message with several labels.
enum class LabelsAs {
  keywords,  // one copy, in the folder that says most of it; its other labels are keywords
  folders,   // a copy in each folder
};

struct Placement {
  FolderName folder;
  Role role = Role::none;
  Flags flags;
};

/// Where a message with these labels belongs; at least one place. Spam and Trash come before all
/// else, then Drafts, Inbox and Sent, then the user's labels in their order; without any of these
/// it is archived mail. It is read unless it is called unread, flagged if starred; what IMAP
/// clients gave it as keywords, it has.
std::vector<Placement> place_by_labels(const std::vector<std::string>& labels, LabelsAs as);

/// A label as an IMAP keyword: modified UTF-7, and `_` for what no atom holds, as Thunderbird makes
/// them. Empty where nothing is left of it.
std::string keyword_of_label(std::string_view label);

}  // namespace postferry::mbox
