#include "cli/transcript_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "cli/output.h"
#include "engine/error.h"

namespace postferry::cli {

TranscriptFile::TranscriptFile(const std::string& path, Executor& executor, Observer& log)
    : path_(path),
      file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600)),
      executor_(executor),
      log_(log),
      opened_(executor.now()) {
  struct stat status {};
  const bool there = file_.get() >= 0 && ::fstat(file_.get(), &status) == 0;
  const bool shut = there && (!S_ISREG(status.st_mode) || ::fchmod(file_.get(), 0600) == 0);
  if (!shut) {
    throw Error(ErrorKind::local,
                fmt::format("transcript {}: {}", printable(path), std::strerror(errno)));
  }
}

void TranscriptFile::line(std::string_view text) {
  if (broken_) return;
  const double seconds = std::chrono::duration<double>(executor_.now() - opened_).count();
  if (write_all(file_.get(), fmt::format("{:9.3f} {}\n", seconds, text))) return;
  broken_ = true;
  log_.note(Level::warning,
            fmt::format("the transcript {} ends here: {}", path_, std::strerror(errno)));
}

}  // namespace postferry::cli
