// 8-bit text in the header of a message, said in ASCII: what servers without it take. Pure.
#pragma once

#include <string>
#include <string_view>

namespace postferry {

/// The message with encoded words in its header for 8-bit words (RFC 2047), and extended parameters
/// for those of MIME fields (RFC 2231). Every byte can be had back from them: what is not UTF-8 is
/// called `unknown-8bit` (RFC 1428). What neither may replace stays: a field's name, an address, the
/// name of a message.
std::string with_ascii_header(std::string_view message);

}  // namespace postferry
