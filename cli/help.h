// The texts of --help: prose around the options, which it takes from CLI11's description of them.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace postferry::cli {

/// `postferry --help`.
std::string program_help();

/// `postferry COMMAND --help`: usage, what the command does, its options by group, then the
/// paragraphs that all commands share, then examples. No line is wider than 80 columns, apart from
/// single words.
std::string command_help(const CLI::App& command);

/// Breaks `text` between words so that no line is wider than `width`; every line but the first
/// begins with `indent` spaces.
std::string wrap(const std::string& text, std::size_t width, std::size_t indent);

}  // namespace postferry::cli
