// The program: arguments in, exit status out.
#include <string>
#include <vector>

#include "cli/program.h"

int main(int argc, char** argv) {
  return static_cast<int>(
      postferry::cli::run_program(std::vector<std::string>(argv + 1, argv + argc)));
}
