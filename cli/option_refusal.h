// Why a command line cannot be obeyed, in our words instead of CLI11's.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace postferry::cli {

/// Throws UsageError: there is no such option, but perhaps one that is spelled nearly so.
[[noreturn]] void refuse_unknown(const CLI::App& app, const std::string& argument);

/// Throws UsageError: CLI11's complaint.
[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error);

}  // namespace postferry::cli
