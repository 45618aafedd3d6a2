// The file that --transcript names.
#pragma once

#include <string>
#include <string_view>

#include "cli/descriptor.h"
#include "engine/async/executor.h"
#include "engine/observer.h"

namespace postferry::cli {

/// Lines with the seconds since it was opened. Readable by the owner alone, since it may hold mail.
class TranscriptFile {
 public:
  /// Makes the file, or empties the one that is there. The executor and `log` must outlive it.
  /// Throws Error{local}.
  TranscriptFile(const std::string& path, Executor& executor, Observer& log);

  /// Writes at once, so that the end is there after a crash. A file that cannot be written any more
  /// is told once, and ends the transcript, not the run.
  void line(std::string_view text);

 private:
  std::string path_;
  Descriptor file_;
  Executor& executor_;
  Observer& log_;
  TimePoint opened_;
  bool broken_ = false;
};

}  // namespace postferry::cli
