#include "engine/glob.h"

#include <string>
#include <vector>

namespace postferry {

namespace {

/// Works on one row of the pattern-by-text table at a time: no pattern can make it exponential.
bool matches(std::string_view pattern, std::string_view text) {
  std::vector<bool> reach(text.size() + 1, false);
  reach[0] = true;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] == '*') {
      const bool deep = p + 1 < pattern.size() && pattern[p + 1] == '*';
      if (deep) ++p;
      for (std::size_t t = 0; t < text.size(); ++t)
        if (reach[t] && (deep || text[t] != '/')) reach[t + 1] = true;
      continue;
    }
    for (std::size_t t = text.size(); t > 0; --t)
      reach[t] = reach[t - 1] && text[t - 1] == pattern[p];
    reach[0] = false;
  }
  return reach[text.size()];
}

std::string inbox_in_capitals(std::string_view text) {
  std::string out(text);
  constexpr std::string_view kInbox = "INBOX";
  if (out.size() < kInbox.size() || (out.size() > kInbox.size() && out[kInbox.size()] != '/'))
    return out;
  for (std::size_t i = 0; i < kInbox.size(); ++i)
    if ((out[i] & ~0x20) != kInbox[i]) return out;
  return out.replace(0, kInbox.size(), kInbox);
}

}  // namespace

bool glob_matches(std::string_view pattern, const FolderName& folder) {
  return matches(inbox_in_capitals(pattern), inbox_in_capitals(folder.to_string()));
}

}  // namespace postferry
