// Flags as the letters at the end of a file's name, and dovecot-keywords, the file that says what
// the letters a to z mean in a folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace postferry::maildir {

/// The keywords of one folder: at most 26, each with its letter.
class Keywords {
 public:
  /// Reads dovecot-keywords: lines of `NUMBER NAME`. Lines that say nothing are passed over.
  static Keywords parse(std::string_view text);
  std::string format() const;

  /// The name of a letter, or empty.
  const std::string& name(char letter) const;
  /// The keyword's letter; '\0' where it has none.
  char letter(std::string_view keyword) const;
  /// The same, but gives it one if there is one left.
  char letter_for(const std::string& keyword);
  /// Whether letter_for gave a letter that the file does not have.
  bool changed() const { return changed_; }

 private:
  std::vector<std::string> names_;  // by letter; may have gaps
  bool changed_ = false;
};

/// P (passed on), which we never write, is $Forwarded. Letters without a meaning are none.
Flags flags_of(std::string_view letters, const Keywords& keywords);

/// `letters` with (add) or without (!add) the flags, in the order of ASCII as Maildir wants them;
/// letters that mean nothing to us stay. `dropped` counts keywords for which no letter was left.
std::string change_letters(std::string_view letters, const Flags& flags, bool add,
                           Keywords& keywords, std::uint64_t& dropped);

}  // namespace postferry::maildir
