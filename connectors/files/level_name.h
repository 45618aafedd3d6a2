// One level of a folder's name as the name of a file. It comes from a server, so nothing in it may
// lead out of its directory: modified UTF-7, and what is left that a file's name may not hold is
// written `\2e`, as Dovecot's listescape plugin reads it.
#pragma once

#include <string>
#include <string_view>

namespace postferry::files {

enum class Escape {
  leading_dot,  // just what must be
  first,        // whatever stands first, too
  dots,         // every dot
};
std::string escape_level(const std::string& level, Escape escape);
/// The inverse; names that other programs made are read as well as can be.
std::string unescape_level(std::string_view name);
/// A name that is longer than file systems take ends in a digest of itself.
std::string shortened(std::string name);

}  // namespace postferry::files
