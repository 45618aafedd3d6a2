// Folder names between modified UTF-7 and UTF-8 (RFC 3501 5.1.3). One level at a time: `&AC8-` is
// a `/` that is no delimiter, so a wire name is split first and decoded after. What to do with a
// name that does not decode is the caller's business; the raw bytes remain its identity.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::mail {

struct DecodedName {
  std::string utf8;
  /// Encoding `utf8` gives the raw name again. False for names that some client encoded in its own
  /// way (`&AC8-` for `/`, `&AGE-` for `a`): keep the raw name to address such a folder.
  bool exact = false;
};

/// Nothing for a raw byte above 0x7f, a lone or unfinished `&`, bad base64, half a code unit or a
/// lone surrogate. Control characters pass, and are not exact.
std::optional<DecodedName> decode_mod_utf7(std::string_view raw);

/// Any raw name as UTF-8: what is neither modified UTF-7 nor UTF-8 is read as Latin-1. Keep the raw
/// name beside it.
std::string decode_lenient(std::string_view raw);

/// The canonical encoding: printable ASCII as itself, `&` as `&-`, everything else in base64 runs.
/// Nothing if the text is not UTF-8.
std::optional<std::string> encode_mod_utf7(std::string_view utf8);

/// Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

/// The levels of a raw wire name, empty ones included: `a//b` has three. Without a delimiter the
/// whole name is one level. A delimiter inside a base64 run splits as well, as servers do it.
/// Views into `raw`.
std::vector<std::string_view> split_levels(std::string_view raw, std::optional<char> delimiter);

}  // namespace postferry::mail
