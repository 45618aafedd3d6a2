// Files, stdout and the environment: the program's doors to the system.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postferry::cli {

/// All of it, or false, with errno saying why.
bool write_all(int fd, std::string_view bytes);

/// All of it, or false: whoever reads our data must learn that it is not whole.
bool write_stdout(std::string_view text);

/// An environment variable.
std::optional<std::string> environment(const std::string& name);

}  // namespace postferry::cli
