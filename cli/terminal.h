// stderr as people see it: lines that stay, and one status line below them that is painted in
// place. The only writer of stderr, so that neither garbles the other.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

namespace postferry::cli {

/// May be used from any thread.
class Terminal {
 public:
  /// `fd` stays the caller's.
  explicit Terminal(int fd);
  /// Leaves no status line behind.
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Whether a status line can be painted: a terminal that is not dumb.
  bool interactive() const { return interactive_; }
  /// Columns, asked anew each time; 80 where nobody knows.
  std::size_t width() const;

  /// Writes a line above the status line; a line end is added.
  void line(std::string_view text);
  /// Writes whole lines, each with its line end, above the status line.
  void text(std::string_view lines);
  /// Paints the status line, cut to the width; an empty one takes it away. Nothing where the
  /// terminal is not interactive.
  void status(std::string text);

 private:
  void put(std::string_view bytes);

  const int fd_;
  const bool interactive_;
  std::mutex mutex_;
  std::string status_;
};

}  // namespace postferry::cli
