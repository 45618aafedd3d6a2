// Where a body of unknown length waits: a temporary file that is deleted as soon as it is open.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/async/blocking.h"
#include "engine/async/task.h"
#include "engine/body.h"

namespace postferry {

/// Filled once, then read. Nothing is left on the disk when it goes, nor after a crash.
class SpoolWriter {
 public:
  virtual ~SpoolWriter() = default;
  /// Throws Error{local}: the disk is full, and which file system.
  virtual Task<void> append(std::string bytes) = 0;
  /// No append after this.
  virtual std::shared_ptr<SpooledBody> finish() = 0;
};

class SpoolFactory {
 public:
  virtual ~SpoolFactory() = default;
  virtual Task<std::unique_ptr<SpoolWriter>> open() = 0;
};

/// Spools in `directory`, readable by the owner alone (O_TMPFILE where the file system has it, else
/// created 0600 and unlinked).
std::unique_ptr<SpoolFactory> make_disk_spool(Blocking& blocking, std::string directory);

}  // namespace postferry
