// The client's side of SASL (RFC 4422), for every protocol: which mechanism, and what to say next.
// Bytes in and bytes out, never base64; must not know how IMAP or POP3 carry them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/secret.h"

namespace postferry::sasl {

/// Who logs in, where, and with what.
struct Identity {
  std::string user = {};
  std::string authzid = {};  // act for this user; empty: for oneself
  Secret secret = {};        // a password, or an OAuth access token for XOAUTH2 and OAUTHBEARER
  std::string host = {};
  std::uint16_t port = 0;
  std::string service = {};  // "imap" or "pop"
  /// RFC 9266 tls-exporter data of the TLS connection, for the -PLUS mechanisms; empty: none.
  std::string channel_binding_data = {};
};
/// The type to ask Stream::channel_binding for.
inline constexpr std::string_view kChannelBindingType = "tls-exporter";

/// What matters when a mechanism is chosen.
struct Wish {
  std::string mechanism = {};    // asked for by the user, any case; empty: the best
  bool encrypted = false;        // the connection is
  bool clear_allowed = false;    // the user spelled out tls=none
  bool channel_binding = false;  // Identity::channel_binding_data is there
  bool authzid = false;          // Identity::authzid is needed
};

/// The mechanisms of `offered` (any case) that will do, best first: SCRAM-SHA-256-PLUS,
/// SCRAM-SHA-256, SCRAM-SHA-1-PLUS, SCRAM-SHA-1, then PLAIN, CRAM-MD5, LOGIN under TLS and
/// CRAM-MD5, PLAIN, LOGIN without. EXTERNAL, XOAUTH2 and OAUTHBEARER only when asked for, since
/// they take no password. Nothing that shows the secret unless `encrypted` or `clear_allowed`. A
/// mechanism that was asked for stands alone; it is taken on trust where `offered` is empty. Empty:
/// none will do.
std::vector<std::string> choose(const std::vector<std::string>& offered, const Wish& wish);

/// Whether the mechanism shows the secret to whoever reads along.
bool shows_secret(std::string_view mechanism);
/// Whether the secret is an OAuth token.
bool takes_token(std::string_view mechanism);

/// One authentication. Used so:
///
///   if first(): send it at once (initial response), or in answer to an empty challenge;
///   for every challenge: answer with step(challenge);
///   when the server says yes: finish();
///   when it says no: server_error() may say more.
class Client {
 public:
  /// Throws Error{usage} for a mechanism that is not known here, or that cannot carry what
  /// `identity` needs (an authzid with CRAM-MD5 or LOGIN).
  Client(std::string_view mechanism, Identity identity);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Whether the client speaks first in this mechanism. Then step("") comes first: its answer is
  /// the initial response (which may be empty), to be sent with the command or after the server's
  /// empty challenge.
  bool first() const;
  /// What to answer to a challenge, secrets in it. Throws Error{auth} where the server reports a
  /// failure inside the mechanism, Error{protocol} where it breaks the mechanism's rules or cannot
  /// prove that it knows the password (SCRAM's server signature, RFC 5802 3).
  std::string step(std::string_view challenge);
  /// Whether all is said from our side and the server has proved what it must.
  bool done() const;
  /// Call when the server says that we are logged in. Throws Error{protocol} if it says so without
  /// having proved itself.
  void finish() const;
  /// Whether anything made from the secret has been said. A refusal before that is no refusal of
  /// the secret: the server cannot do the mechanism as we do it (Cyrus 3.6 offers
  /// SCRAM-SHA-256-PLUS and knows only tls-unique), and another one may be tried.
  bool secret_used() const;
  /// What an OAuth server said in its failure challenge (JSON); empty if nothing.
  const std::string& server_error() const;
  /// Whether that failure means that the token has expired: a new one may work (RFC 6750 3.1).
  bool token_expired() const;

 private:
  class Mechanism;
  class GsaslMechanism;
  class OAuthMechanism;

  std::unique_ptr<Mechanism> mechanism_;
};

}  // namespace postferry::sasl
