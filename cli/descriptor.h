// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

namespace postferry::cli {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  /// Negative when opening failed.
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace postferry::cli
