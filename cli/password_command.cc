#include "cli/password_command.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "engine/error.h"

extern char** environ;

namespace postferry::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostBytes = 64 << 10;

[[noreturn]] void fail(const std::string& why) { throw Error(ErrorKind::local, why); }

/// One of the command's output streams: what it wrote, up to kMostBytes; the rest is read and
/// dropped, so that the command does not hang.
class Output {
 public:
  Output() {
    text_.reserve(kMostBytes);  // never moved: no copy of a secret is left behind
    if (::pipe2(ends_, O_CLOEXEC) != 0) fail(fmt::format("no pipe: {}", std::strerror(errno)));
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    close_writer();
    ::close(ends_[0]);
    volatile char* bytes = text_.data();
    for (std::size_t i = 0; i < text_.size(); ++i) bytes[i] = 0;
  }

  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  bool ended() const { return ended_; }
  const std::string& text() const { return text_; }

  /// Takes what is there now.
  void drain() {
    char buffer[4096];
    while (!ended_) {
      const ssize_t got = ::read(ends_[0], buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) {
        ended_ = true;
        break;
      }
      text_.append(buffer, std::min(static_cast<std::size_t>(got), kMostBytes - text_.size()));
    }
    explicit_bzero(buffer, sizeof buffer);
  }

 private:
  int ends_[2] = {-1, -1};
  std::string text_;
  bool ended_ = false;
};

/// A child that is killed and waited for if it still runs when this goes.
class Child {
 public:
  Child(const std::string& command, const Output& out, const Output& err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out.writer(), 1);
    posix_spawn_file_actions_adddup2(&actions, err.writer(), 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    for (int signal : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP}) sigaddset(&defaults, signal);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string shell = "sh", flag = "-c", text = command;
    char* arguments[] = {shell.data(), flag.data(), text.data(), nullptr};
    const int failure = ::posix_spawn(&pid_, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
      pid_ = -1;
      fail(fmt::format("/bin/sh does not start: {}", std::strerror(failure)));
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ < 0 || status_) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  /// Its wait status once it has ended.
  std::optional<int> ended() {
    int status = 0;
    if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
    return status_;
  }

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  const std::size_t at = text.rfind('\n');
  return printable(at == std::string_view::npos ? text : text.substr(at + 1));
}

/// Waits for the child's end while taking what it writes. A grandchild that keeps the pipes open
/// is not waited for.
int wait_for(Child& child, Output& out, Output& err, Clock::time_point deadline) {
  constexpr int kTickMilliseconds = 20;
  for (;;) {
    const std::optional<int> status = child.ended();
    out.drain();
    err.drain();
    if (status) return *status;
    if (Clock::now() >= deadline) fail("gave no answer in time and was stopped");
    pollfd waiting[] = {{out.ended() ? -1 : out.reader(), POLLIN, 0},
                        {err.ended() ? -1 : err.reader(), POLLIN, 0}};
    ::poll(waiting, 2, kTickMilliseconds);
  }
}

}  // namespace

std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text;
}

Secret run_password_command(const std::string& command, std::chrono::milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit;
  Output out, err;
  Child child(command, out, err);
  out.close_writer();
  err.close_writer();
  const int status = wait_for(child, out, err, deadline);
  const std::string said = last_line(err.text());
  const std::string words = said.empty() ? "" : ": " + said;
  if (WIFSIGNALED(status)) fail(fmt::format("was ended by signal {}{}", WTERMSIG(status), words));
  if (WEXITSTATUS(status) != 0) {
    fail(fmt::format("failed with exit status {}{}", WEXITSTATUS(status), words));
  }
  const std::string_view line = first_line(out.text());
  if (line.empty()) fail("printed nothing on its first line" + words);
  return Secret(std::string(line));
}

}  // namespace postferry::cli
