// Runs a command of the user's that prints a password or a token.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "engine/secret.h"

namespace postferry::cli {

/// Runs `command` by /bin/sh, with nothing on its standard input, and takes the first line it
/// prints. Blocks for at most `limit`, then kills it. Throws Error{local} when it cannot be run,
/// ends with another status than 0 (then with the last line it wrote to stderr), prints nothing, or
/// takes too long.
Secret run_password_command(const std::string& command,
                            std::chrono::milliseconds limit = std::chrono::seconds(60));

/// Up to the first line end, which is left out (\n or \r\n).
std::string_view first_line(std::string_view text);

}  // namespace postferry::cli
