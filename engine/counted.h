// Numbers and names of messages in what is said to people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace postferry {

/// "1,234,567".
std::string with_commas(std::uint64_t number);

/// "1 message", "2,000 messages".
std::string counted(std::uint64_t number, std::string_view one, std::string_view many);

/// "UID 3, 7, 9" or "UIDL a, b": the first ten, and whether there are more.
std::string some_of(const std::vector<MessageKey>& keys);

}  // namespace postferry
