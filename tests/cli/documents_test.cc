#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/options.h"

using namespace postferry::cli;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(std::string(POSTFERRY_TESTS_DIR) + "/../" + path);
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The long options that the help of a command lists.
std::set<std::string> options_of(const char* command) {
  std::istringstream help(parse_command_line({command, "--help"}).print);
  std::set<std::string> options;
  for (std::string line; std::getline(help, line);) {
    const std::size_t at = line.find("--");
    if (line.find("  ") == 0 && at != std::string::npos && at <= 6) {
      options.insert(line.substr(at + 2, line.find_first_of(" ,", at) - at - 2));
    }
  }
  return options;
}

const char* const kCommands[] = {"copy",  "run",  "check",  "verify", "failed",
                                 "retry", "undo", "status", "report"};

/// The words of the text after `begin`, up to `end`, without dashes before them.
std::set<std::string> words_between(const std::string& text, const std::string& begin,
                                    const std::string& end) {
  const std::size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  const std::size_t at = from + begin.size();
  std::istringstream words(text.substr(at, text.find(end, at) - at));
  std::set<std::string> out;
  for (std::string word; words >> word;) out.insert(word.substr(word.find_first_not_of('-')));
  return out;
}

std::set<std::string> fish_options_of(const std::string& fish, const std::string& command) {
  std::set<std::string> out;
  std::istringstream lines(fish);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(" -l ");
    const std::string seen = "__fish_seen_subcommand_from";
    if (at == std::string::npos || line.find(seen) == std::string::npos) continue;
    if (words_between(line, seen, "'").contains(command))
      out.insert(line.substr(at + 4, line.find(' ', at + 4) - at - 4));
  }
  return out;
}

}  // namespace

TEST_CASE("the completions offer each command the options of its help, and no others") {
  const std::string bash = text_of("cli/completions/postferry.bash");
  const std::string zsh = text_of("cli/completions/_postferry");
  const std::string fish = text_of("cli/completions/postferry.fish");
  for (const std::string command : kCommands) {
    INFO(command);
    std::set<std::string> options = options_of(command.c_str());
    std::set<std::string> offered =
        words_between(bash, "        " + command + ")\n            options=\"", "\"");
    offered.erase("last");
    CHECK(offered == options);
    options.erase("help");  // of every command in the others
    CHECK(words_between(zsh, "\n  " + command + " '", "'") == options);
    CHECK(fish_options_of(fish, command) == options);
  }
}

TEST_CASE("the man page knows every option of the help, and zsh what each means") {
  std::string manual = text_of("cli/postferry.1");
  for (std::size_t at; (at = manual.find("\\-")) != std::string::npos;) manual.erase(at, 1);
  const std::string zsh = text_of("cli/completions/_postferry");
  std::set<std::string> options;
  for (const char* command : kCommands) options.merge(options_of(command));
  CHECK(options.size() > 20);
  options.erase("help");  // has a short form, and is spelled differently in each
  for (const std::string& option : options) {
    INFO(option);
    CHECK(manual.find("--" + option) != std::string::npos);
    CHECK(zsh.find("--" + option + "[") != std::string::npos);
  }
}

TEST_CASE("the README and the man page have every exit status") {
  const std::string readme = text_of("README.md");
  const std::string manual = text_of("cli/postferry.1");
  for (const char* status :
       {"0", "64", "65", "69", "70", "73", "74", "75", "76", "77", "78", "130"}) {
    INFO(status);
    CHECK(readme.find(std::string("| ") + status + " |") != std::string::npos);
    CHECK(manual.find(std::string(".B ") + status + "\n") != std::string::npos);
  }
}
