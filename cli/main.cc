// The program: arguments in, exit status out.
#include <sys/resource.h>
#if __has_include(<sys/prctl.h>)
#include <sys/prctl.h>
#endif
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <string>
#include <vector>

#include "cli/program.h"

int main(int argc, char** argv) {
  // Passwords and mail are in memory: a crash must not leave them on the disk. Neither can fail: a
  // limit may always be lowered. A core that the system hands to a program heeds no limit, so that
  // the process is marked, too, and its memory and environment are for root alone: debug as root.
  // A sanitizer's search for leaks attaches to its own process, as whoever runs it.
  constexpr rlimit kNoCore{0, 0};
  ::setrlimit(RLIMIT_CORE, &kNoCore);
#if defined(PR_SET_DUMPABLE) && !__has_feature(address_sanitizer)
  ::prctl(PR_SET_DUMPABLE, 0);
#endif
#ifdef M_MMAP_THRESHOLD
  // Lists of a large folder are given back to the system when they are done with. Left to itself,
  // glibc raises this as it goes, and keeps them.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  // Setting that one fixes the threshold for trimming, too, at 128 KiB: each chunk of a large
  // message would be given back, and its pages got anew.
  ::mallopt(M_TRIM_THRESHOLD, 2 << 20);
#endif
  return static_cast<int>(
      postferry::cli::run_program(std::vector<std::string>(argv + 1, argv + argc)));
}
