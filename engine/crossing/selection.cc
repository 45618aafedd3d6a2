// Which mail an account's options choose.
#include <algorithm>

#include "engine/crossing/crossing.h"
#include "engine/digest.h"
#include "engine/glob.h"

namespace postferry {

bool CrossingOptions::wants(const FolderName& folder) const {
  const auto matches = [&](const std::string& glob) { return glob_matches(glob, folder); };
  return (folders.empty() || std::ranges::any_of(folders, matches)) &&
         std::ranges::none_of(excludes, matches);
}

bool CrossingOptions::wants(std::uint64_t size_bytes,
                            const std::optional<InternalDate>& date) const {
  if (max_size_bytes && size_bytes > *max_size_bytes) return false;
  return !date || (!(since && date->seconds < *since) && !(before && date->seconds >= *before));
}

std::string CrossingOptions::selection_hash() const {
  Digest digest;
  const auto add = [&digest](std::string_view text) {
    digest.update(text);
    digest.update(std::string_view("\0", 1));
  };
  const auto add_number = [&add](char name, std::optional<std::int64_t> value) {
    add(std::string(1, name) + (value ? std::to_string(*value) : ""));
  };
  for (const std::string& glob : folders) add("folder " + glob);
  for (const std::string& glob : excludes) add("exclude " + glob);
  for (const auto& [from, to] : map) add("map " + from.to_string() + "=" + to.to_string());
  add_number('s', since);
  add_number('b', before);
  add_number('m', max_size_bytes ? std::optional(static_cast<std::int64_t>(*max_size_bytes))
                                 : std::nullopt);
  add(mirror_deletions ? "mirror" : "keep");
  if (only_failed) add("failed");
  add_number('r', remove_after ? std::optional(std::int64_t{remove_after->count()}) : std::nullopt);
  const Sha256 hash = digest.finish();
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (unsigned char byte : hash) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out.substr(0, 16);
}

}  // namespace postferry
