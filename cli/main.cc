// The program: arguments in, exit status out.
#include <sys/resource.h>
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <string>
#include <vector>

#include "cli/program.h"

int main(int argc, char** argv) {
  // Passwords and mail are in memory: a crash must not leave them on the disk. It cannot fail: a
  // limit may always be lowered. To debug, attach; that needs the same rights.
  constexpr rlimit kNoCore{0, 0};
  ::setrlimit(RLIMIT_CORE, &kNoCore);
#ifdef M_MMAP_THRESHOLD
  // Lists of a large folder are given back to the system when they are done with. Left to itself,
  // glibc raises this as it goes, and keeps them.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
#endif
  return static_cast<int>(
      postferry::cli::run_program(std::vector<std::string>(argv + 1, argv + argc)));
}
