// What can go wrong, sorted by what the engine should do about it.
// A connector chooses the kind; engine/crossing/retry alone acts on it.
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace postferry {

enum class ErrorKind {
  transient,    // the line or the server failed; the same again may work
  unreachable,  // no connection could be made at all
  auth,         // the login was refused
  rejected,     // the server refused this one thing for good, and said why
  quota,        // the target has no room
  throttled,    // the server asks us to wait; see Error::retry_after
  protocol,     // the server does not speak the protocol
  tls,          // no trust: certificate, host name, version, injected bytes
  local,        // a local file or device
  journal,      // the journal cannot be read or written
  usage,        // asked for something that cannot be done
};

/// The kind's name, as the log and the journal spell it.
const char* to_string(ErrorKind kind);

/// An operation ended by this. `what()` is whole: context, then the message, in the server's own
/// words where it said any. All of it is printable().
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string message, std::string context = {});

  ErrorKind kind() const { return kind_; }
  /// What happened, without the context.
  const std::string& message() const { return message_; }
  /// Where: "target imap.example.org, folder Archive/2019".
  const std::string& context() const { return context_; }
  /// How long the server asks us to stay away, if it said.
  std::optional<std::chrono::milliseconds> retry_after() const { return retry_after_; }

  /// The same error, seen from further out: `outer` goes before the context.
  Error in(const std::string& outer) const;
  Error after(std::chrono::milliseconds delay) const;

 private:
  ErrorKind kind_;
  std::string message_;
  std::string context_;
  std::optional<std::chrono::milliseconds> retry_after_;
};

/// Makes a server's words fit for a terminal, a log line and a file name: control characters and
/// invalid UTF-8 become \xNN, and more than `limit` bytes are cut.
std::string printable(std::string_view text, std::size_t limit = 400);

}  // namespace postferry
