// The locks of an mbox, as mail programs share it: a file beside it (`PATH.lock`) and an fcntl
// lock, in this order, as Dovecot and Debian have it. Blocks.
#pragma once

#include <optional>
#include <string>

#include "connectors/files/dot_lock.h"
#include "connectors/files/file.h"

namespace postferry::mbox {

class Lock {
 public:
  enum class For { reading, writing };  // reading takes the fcntl lock alone
  /// Nothing when another program holds one of them, or has just replaced the file: try again. To
  /// write, a file that is not there is made. Throws Error{local}.
  static std::optional<Lock> try_take(const std::string& path, For what);

  const files::File& file() const { return file_; }

 private:
  Lock(std::optional<files::DotLock> dot, files::File file)
      : dot_(std::move(dot)), file_(std::move(file)) {}

  std::optional<files::DotLock> dot_;
  files::File file_;  // closing it lets go
};

}  // namespace postferry::mbox
