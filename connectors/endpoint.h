// Where a mailbox is and how to speak to it: the URL grammar of the command line.
// Must not open anything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/async/task.h"
#include "engine/secret.h"

namespace postferry {

enum class Protocol { imap, pop3, maildir, mbox, eml, smtp, lmtp, mx };
enum class TlsMode { implicit, starttls, none, when_offered };

/// Of what is said to a server (RFC 4978). `automatic`: where the line is seen to be slow.
enum class Compress { automatic, on, off };

struct Endpoint {
  Protocol protocol = Protocol::imap;
  std::string user;
  std::string host;  // lower case; IPv6 without brackets
  std::uint16_t port = 0;
  TlsMode tls = TlsMode::implicit;
  std::optional<std::string> ca_file;
  std::optional<std::string> pin_sha256;  // 32 bytes
  bool verify = true;
  std::string auth;     // a SASL mechanism in upper case, or empty: the best that is offered
  int sessions = 0;     // 0: the program's default
  std::string authzid;  // `as=`: act for this user
  Compress compress = Compress::automatic;  // of IMAP
  // Of mail in files, which has none of the above but `sessions`.
  std::string path;    // absolute; of a Unix socket, too, where LMTP has one
  std::string layout;  // of a Maildir: "fs", or empty for Maildir++
  std::string labels;  // of an mbox from Google: "folders", or empty for keywords
  // Of a relay, whose host may be a domain (mx:).
  std::string dns;        // `dns=`: the name server that knows the domain; empty: the system's
  std::string recipient;  // for whom mail is handed over
  std::optional<std::string> envelope_sender;  // empty: <>; absent: the login
  bool resent = false;                         // with a Resent- block

  /// On this machine's disks: nobody to log in to.
  bool in_files() const {
    return protocol == Protocol::maildir || protocol == Protocol::mbox || protocol == Protocol::eml;
  }

  /// Takes mail for a recipient, and tells nothing of what became of it.
  bool relays() const {
    return protocol == Protocol::smtp || protocol == Protocol::lmtp || protocol == Protocol::mx;
  }
  /// Somebody logs in, by a password as a rule.
  bool has_login() const { return !in_files() && !user.empty(); }

  /// What makes it this mailbox and no other: protocol, host, port, user and `as` (DESIGN 7); of a
  /// relay the recipient, too.
  std::string identity() const;
  /// For people; has no secret in it.
  std::string to_string() const;
};

/// Reads `imaps://USER@HOST[:PORT][?key=value&...]`, `maildir:PATH[?...]`,
/// `smtp://[USER@]HOST[:PORT]`, `lmtp:PATH`, `mx:DOMAIN[:PORT]` and their kin; a relative
/// path is one below the working directory. Throws Error{usage} that says what
/// is wrong and what was expected. A password in the URL is refused.
Endpoint parse_endpoint(std::string_view url);

/// Gives the password or token for each login anew, so that it can be refreshed.
class Credentials {
 public:
  virtual ~Credentials() = default;
  /// Throws Error{usage} when there is none, Error{local} when a file or command fails.
  virtual Task<Secret> secret() = 0;
};

}  // namespace postferry
