// dovecot-uidlist, version 3: which file of a folder has which UID.
//
//   3 V1700000000 N8 Gdeadbeef         UIDVALIDITY, UIDNEXT, and words that are Dovecot's own
//   5 W1260 :1700000000.M5P7.host      UID, words of Dovecot's own, the base of the file's name
//
// New lines are put at the end, so the last UID counts, not N. Version 1, which has neither letters
// nor the colon, is read too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::maildir {

struct UidLine {
  std::uint32_t uid = 0;
  std::string_view words;  // between UID and base; often empty
  std::string_view base;
};

struct UidList {
  std::uint32_t validity = 0;
  std::uint32_t next = 1;
  std::string_view words;  // of the header
  std::vector<UidLine> lines;
  bool whole =
      true;  // false: a last line without its end (a crash, or one being written) is left out
};

/// Views into `text`. Nothing where it cannot be understood: a UID too many times or out of order,
/// no header, an unknown version.
std::optional<UidList> parse_uid_list(std::string_view text);
std::string format_uid_list(const UidList& list);
void append_line(std::string& text, const UidLine& line);

}  // namespace postferry::maildir
