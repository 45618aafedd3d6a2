// UTF-8 (RFC 3629), as bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace postferry {

/// Length of the valid sequence at `at`, or 0.
std::size_t utf8_length(std::string_view text, std::size_t at);

}  // namespace postferry
