// Any bytes may stand in a Maildir: names of files, dovecot-uidlist, dovecot-keywords; and any name
// of a folder may come from a server.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/maildir/file_name.h"
#include "connectors/maildir/folder_path.h"
#include "connectors/maildir/letters.h"
#include "connectors/maildir/uid_list.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;
using namespace postferry::maildir;

namespace {

void check_uid_list(std::string_view bytes) {
  const std::optional<UidList> list = parse_uid_list(bytes);
  if (!list) return;
  std::uint32_t last = 0;
  for (const UidLine& line : list->lines) {
    require(line.uid > std::exchange(last, line.uid));
    require(!line.base.empty());
  }
  const std::string text = format_uid_list(*list);
  const std::optional<UidList> again = parse_uid_list(text);
  require(again && again->whole && again->validity == list->validity);
  require(again->next == list->next && again->lines.size() == list->lines.size());
  for (std::size_t i = 0; i < list->lines.size(); ++i) {
    require(again->lines[i].uid == list->lines[i].uid);
    require(again->lines[i].base == list->lines[i].base);
    require(again->lines[i].words == list->lines[i].words);
  }
}

void check_letters(std::string_view bytes) {
  Keywords keywords = Keywords::parse(bytes);
  require(Keywords::parse(keywords.format()).format() == keywords.format());
  const FileName name = parse_file_name(bytes.substr(0, bytes.find('\n')));
  require(name.base.size() + name.letters.size() <= bytes.size());
  const Flags flags = Flags::parse("\\Seen \\Flagged keyword");
  std::uint64_t dropped = 0;
  const std::string with = change_letters(name.letters, flags, true, keywords, dropped);
  const Flags there = flags_of(with, keywords);
  require((there.system & Flags::seen) != 0 && (there.system & Flags::flagged) != 0);
  const std::string without = change_letters(with, flags, false, keywords, dropped);
  require((flags_of(without, keywords).system & (Flags::seen | Flags::flagged)) == 0);
}

/// No name leads out of the root, and none makes a file where a directory ought to be.
void check_folder(std::string_view bytes) {
  std::vector<std::string> levels(1);
  for (const char c : bytes.substr(0, 1000)) {
    if (c == '\n') {
      levels.emplace_back();
    } else {
      levels.back() += c;
    }
  }
  const FolderName folder(std::move(levels));
  if (folder.empty()) return;  // such a name is no folder's, for every caller
  for (const Layout layout : {Layout::maildirpp, Layout::fs}) {
    const std::string path = directory_of(folder, layout);
    require(!path.starts_with('/') && path.find('\0') == std::string::npos);
    for (std::string_view rest = path; !rest.empty();) {
      const std::string_view level = rest.substr(0, rest.find('/'));
      require(!level.empty() && level != "." && level != ".." && level.size() <= 255);
      rest.remove_prefix(std::min(level.size() + 1, rest.size()));
    }
    (void)folder_at(path, layout);
    if (bytes.size() < 1000) (void)folder_at(bytes, layout);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_uid_list(bytes);
  check_letters(bytes);
  check_folder(bytes);
  return 0;
}
