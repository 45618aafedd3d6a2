// What `verify` found, for people.
#pragma once

#include <string>

#include "engine/proof/verify.h"

namespace postferry::cli {

/// The folders, what is not accounted for in each, and the sum. With `brief` only what is not
/// accounted for: perhaps nothing at all.
std::string verify_text(const VerifyReport& report, bool brief);

}  // namespace postferry::cli
