// Asks for a password on the terminal, without showing it.
#pragma once

#include <string>

#include "engine/secret.h"

namespace postferry::cli {

/// Asks on /dev/tty, whatever stdin and stdout are. A signal that ends or stops the program while
/// it waits first gives the terminal its echo back; after a stop the question comes again. Throws
/// Error{usage} when there is no terminal or the answer is empty.
Secret prompt_on_terminal(const std::string& question);

/// The same on an open terminal.
Secret prompt_on(int terminal, const std::string& question);

}  // namespace postferry::cli
