#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "cli/format.h"
#include "cli/output.h"

namespace postferry::cli {
namespace {

constexpr std::string_view kClear = "\r\x1b[K";

bool can_paint(int fd) {
  const char* kind = std::getenv("TERM");
  return ::isatty(fd) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

}  // namespace

Terminal::Terminal(int fd) : fd_(fd), interactive_(can_paint(fd)) {}

Terminal::~Terminal() { status({}); }

std::size_t Terminal::width() const {
  winsize size{};
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void Terminal::line(std::string_view text_of_line) { text(std::string(text_of_line) + "\n"); }

void Terminal::text(std::string_view lines) {
  if (lines.empty()) return;
  const std::lock_guard lock(mutex_);
  std::string bytes;
  if (!status_.empty()) bytes += kClear;
  bytes += lines;
  bytes += status_;
  put(bytes);
}

void Terminal::status(std::string text) {
  if (!interactive_) return;
  text = cut_to(text, width() - 1);  // the last column would wrap
  const std::lock_guard lock(mutex_);
  if (text == status_) return;
  status_ = std::move(text);
  put(std::string(kClear) + status_);
}

/// What stderr does not take is lost: there is nowhere else to say so.
void Terminal::put(std::string_view bytes) { (void)write_all(fd_, bytes); }

}  // namespace postferry::cli
