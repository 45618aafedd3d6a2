// Base64 (RFC 4648 4), as SASL needs it. Knows nothing else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postferry {

/// With padding, on one line.
std::string base64_encode(std::string_view bytes);

/// nullopt for anything that base64_encode would not have written, but missing padding and white
/// space at the end are forgiven.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace postferry
