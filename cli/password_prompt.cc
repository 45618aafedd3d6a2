#include "cli/password_prompt.h"

#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "cli/descriptor.h"
#include "cli/output.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
constexpr std::size_t kMostBytes = 4096;

// The only way a handler can tell: what arrived while we waited.
volatile sig_atomic_t arrived_signal = 0;
void note_signal(int signal) { arrived_signal = signal; }

/// While it lives, signals interrupt the read instead of ending the program.
class SignalsNoted {
 public:
  SignalsNoted() {
    arrived_signal = 0;
    struct sigaction note {};
    note.sa_handler = note_signal;  // no SA_RESTART: the read must end
    sigemptyset(&note.sa_mask);
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &note, &before_[i]);
  }
  SignalsNoted(const SignalsNoted&) = delete;
  SignalsNoted& operator=(const SignalsNoted&) = delete;
  ~SignalsNoted() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], &before_[i], nullptr);
    }
  }

 private:
  std::array<struct sigaction, kSignals.size()> before_{};
};

class EchoOff {
 public:
  explicit EchoOff(int terminal) : terminal_(terminal) {
    if (::tcgetattr(terminal_, &before_) != 0) {
      throw Error(ErrorKind::usage, "there is no terminal to ask on");
    }
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    ::tcsetattr(terminal_, TCSAFLUSH, &quiet);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
  ~EchoOff() { ::tcsetattr(terminal_, TCSAFLUSH, &before_); }

 private:
  int terminal_;
  termios before_{};
};

/// One line, or as much of it as came before a signal. The terminal still has no echo.
Secret read_line(int terminal) {
  std::string line;
  line.reserve(kMostBytes);
  for (;;) {
    char c = 0;
    const ssize_t got = ::read(terminal, &c, 1);
    if (got < 0 && errno == EINTR && arrived_signal == 0) continue;
    if (got <= 0 || c == '\n' || c == '\r') break;
    if (line.size() < kMostBytes) line += c;
  }
  return Secret(std::move(line));
}

}  // namespace

Secret prompt_on(int terminal, const std::string& question) {
  for (;;) {
    Secret answer;
    int signal = 0;
    {
      const SignalsNoted noted;
      const EchoOff quiet(terminal);
      // A question that is not seen is no reason to end.
      (void)write_all(terminal, question);
      answer = read_line(terminal);
      (void)write_all(terminal, "\n");
      signal = arrived_signal;
    }
    if (signal == 0) {
      if (answer.empty()) throw Error(ErrorKind::usage, "no password was typed");
      return answer;
    }
    ::raise(signal);  // with its own meaning; after a stop we come back here
  }
}

Secret prompt_on_terminal(const std::string& question) {
  const Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (terminal.get() < 0) throw Error(ErrorKind::usage, "there is no terminal to ask on");
  return prompt_on(terminal.get(), question);
}

}  // namespace postferry::cli
