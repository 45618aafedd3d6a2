// Logging in as every protocol here does it: which way to try after which, what an account's
// sessions have learned of it, and the exchange of one mechanism in lines of base64. How a protocol
// spells it is its own.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/endpoint.h"
#include "connectors/net/stream.h"
#include "connectors/sasl.h"
#include "engine/async/task.h"
#include "engine/error.h"

namespace postferry::sasl {

Wish wish_of(const Endpoint& endpoint, const net::Stream& stream);
/// `service` is the protocol's name in SASL: "imap", "pop", "smtp".
Identity identity_of(const Endpoint& endpoint, Secret secret, std::string_view service,
                     const net::Stream& stream);
/// Why none of what the server offers will do, for an error's text.
std::string no_way(const std::vector<std::string>& offered, const Wish& wish);

/// What the logins of one account have taught; its sessions share it.
struct LoginMemory {
  std::string proven = {};                // the way that worked last; it is tried first
  std::vector<std::string> useless = {};  // offered, and refused before the secret was at stake
};

/// What came of one way.
struct Attempt {
  std::optional<Error> refused = std::nullopt;  // nothing: logged in
  bool secret_used = true;                      // see Client::secret_used
};

/// Tries one way after the other, never guessing: after a refusal only what shows the secret (the
/// server may keep no key for the other mechanisms), or what the server has proved unable to do.
class Login {
 public:
  /// `plain` is the protocol's own command for a name and a password, if it has one.
  Login(LoginMemory& memory, std::string plain) : memory_(memory), plain_(std::move(plain)) {}
  virtual ~Login() = default;

  /// `ways` in order of preference, at least one. An OAuth token that is refused is asked for anew,
  /// once. Throws the last refusal, at once if it is not about the login (Error{auth}) or the
  /// mechanism (Error{protocol}); a server that hangs up after a refusal has said why then.
  Task<void> run(std::vector<std::string> ways);

 protected:
  /// Without what has proved useless: for logins whose mechanism nobody asked for.
  void drop_useless(std::vector<std::string>& ways) const;
  /// Throws what ends the whole login.
  virtual Task<Attempt> attempt(std::string way) = 0;

 private:
  bool shows(const std::string& way) const { return way == plain_ || shows_secret(way); }
  bool worth_trying(const std::string& way, const std::string& tried, const Attempt& last) const;
  Task<Attempt> attempt_after(std::string way, const Attempt* last);

  LoginMemory& memory_;
  const std::string plain_;
};

/// One mechanism's exchange. Used so: initial() with the command where the protocol allows it;
/// answer() to every challenge; finish() when the server has said yes or no.
class Exchange {
 public:
  /// `where` is the context of errors. Throws as Client does.
  Exchange(const std::string& mechanism, Identity identity, std::string where);

  /// The initial response, if the client speaks first: base64, which may be empty. A longer one
  /// than `most`, or one that nobody asked for, is the answer to the first challenge.
  std::optional<std::string> initial(std::size_t most = std::string::npos);
  /// The line to say to a challenge: base64, or `*`, which ends the exchange (RFC 4954 4, RFC 5034
  /// 4, RFC 9051 6.2.2), once something is wrong. Throws Error{protocol} if it does not end then.
  std::string answer(std::string_view challenge);
  /// Throws what was wrong; also when the server accepts without having proved itself.
  void finish(bool accepted);

  /// Of what answer() and initial() gave out.
  bool secret_used() const { return !initial_ && client_.secret_used(); }
  /// What an OAuth server said of its refusal, to follow the server's words; empty if nothing.
  std::string told() const;

 private:
  const std::string where_;
  Client client_;
  std::optional<std::string> initial_;
  std::optional<Error> broken_;
  int rounds_ = 0;
};

}  // namespace postferry::sasl
