// Text of header fields with RFC 2047 encoded words in it, made into UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace postferry::mail {

/// White space between two encoded words is no part of the text. What is no well-formed word stays
/// as it is. Text that is neither UTF-8 nor says what it is is read as Latin-1: the result is
/// UTF-8.
std::string decode_encoded_words(std::string_view text);

}  // namespace postferry::mail
