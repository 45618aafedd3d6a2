// Every command of SMTP and LMTP that is said, without its line end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/smtp/codec/reply.h"

namespace postferry::smtp {

struct Command {
  std::string text;
  bool secret = false;  // what a transcript must not show
};

/// What the bytes of a message need (RFC 6152, RFC 3030).
enum class BodyKind { sevenbit, eightbit, binary };

/// The envelope of one message.
struct Envelope {
  std::string sender;     // an address without brackets; empty: <>
  std::string recipient;  // one
  std::uint64_t size_bytes = 0;
  BodyKind body = BodyKind::sevenbit;
  std::string id;  // ENVID (RFC 3461 4.4), for servers with DSN
};

// All of them throw std::invalid_argument where a line end or NUL, or in an address a blank or a
// bracket, would say something else than was meant.

Command hello(std::string_view verb, std::string_view host);  // EHLO, LHLO or HELO
Command starttls();
/// Without an initial response where it is null; an empty one is said as "=" (RFC 4954 4).
Command auth(std::string_view mechanism, const std::string* base64);
Command auth_response(std::string_view base64);
/// MAIL with just the parameters that the server has offered.
Command mail(const Envelope& envelope, const Extensions& offered);
/// RCPT, and where the server does DSN, NOTIFY=NEVER: mail that moves must not bounce to anybody.
Command rcpt(const Envelope& envelope, const Extensions& offered);
Command data();
Command bdat(std::uint64_t size_bytes, bool last);
Command rset();
Command quit();

/// Whether an address needs SMTPUTF8 (RFC 6531).
bool is_utf8_address(std::string_view address);

}  // namespace postferry::smtp
