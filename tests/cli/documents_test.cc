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

}  // namespace

TEST_CASE("the man page and the completions know every option of the help") {
  std::string manual = text_of("cli/postferry.1");
  for (std::size_t at; (at = manual.find("\\-")) != std::string::npos;) manual.erase(at, 1);
  const std::string bash = text_of("cli/completions/postferry.bash");
  const std::string zsh = text_of("cli/completions/_postferry");
  const std::string fish = text_of("cli/completions/postferry.fish");
  std::set<std::string> options = options_of("copy");
  for (const char* command :
       {"run", "check", "verify", "failed", "retry", "undo", "status", "report"})
    options.merge(options_of(command));
  CHECK(options.size() > 20);
  options.erase("help");  // has a short form, and is spelled differently in each
  for (const std::string& option : options) {
    INFO(option);
    CHECK(manual.find("--" + option) != std::string::npos);
    CHECK(bash.find("--" + option) != std::string::npos);
    CHECK(zsh.find("--" + option + "[") != std::string::npos);
    CHECK(fish.find(" -l " + option + " ") != std::string::npos);
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
