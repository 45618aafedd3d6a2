#include "connectors/smtp/codec/command.h"

#include <algorithm>
#include <stdexcept>

namespace postferry::smtp {
namespace {

std::string with_argument(std::string_view verb, std::string_view argument) {
  if (argument.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
    throw std::invalid_argument("a line end or NUL cannot be said in an SMTP command");
  return std::string(verb) + ' ' + std::string(argument);
}

std::string path(std::string_view address) {
  for (const char c : address)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>')
      throw std::invalid_argument("an address has a blank, a bracket or a control character in it");
  return "<" + std::string(address) + ">";
}

/// RFC 3461 4: printable ASCII but + and =; everything else as +XX.
std::string xtext(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '+' && c != '=') {
      out += c;
    } else {
      out += '+';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace

bool is_utf8_address(std::string_view address) {
  return std::ranges::any_of(address, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

Command hello(std::string_view verb, std::string_view host) { return {with_argument(verb, host)}; }
Command starttls() { return {"STARTTLS"}; }

Command auth(std::string_view mechanism, const std::string* base64) {
  Command command{with_argument("AUTH", mechanism)};
  if (base64 == nullptr) return command;
  command.text += ' ';
  command.text += base64->empty() ? "=" : auth_response(*base64).text;
  command.secret = true;
  return command;
}

Command auth_response(std::string_view base64) {
  if (base64.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
    throw std::invalid_argument("a SASL response is one line");
  return {std::string(base64), true};
}

Command mail(const Envelope& envelope, const Extensions& offered) {
  std::string text = "MAIL FROM:" + path(envelope.sender);
  if (offered.size) text += " SIZE=" + std::to_string(envelope.size_bytes);
  if (envelope.body == BodyKind::binary && offered.binarymime && offered.chunking) {
    text += " BODY=BINARYMIME";
  } else if (envelope.body != BodyKind::sevenbit && offered.eightbitmime) {
    text += " BODY=8BITMIME";
  }
  if (offered.smtputf8 && (is_utf8_address(envelope.sender) || is_utf8_address(envelope.recipient)))
    text += " SMTPUTF8";
  if (offered.dsn) text += " RET=HDRS ENVID=" + xtext(envelope.id);
  return {std::move(text)};
}

Command rcpt(const Envelope& envelope, const Extensions& offered) {
  return {"RCPT TO:" + path(envelope.recipient) + (offered.dsn ? " NOTIFY=NEVER" : "")};
}

Command data() { return {"DATA"}; }
Command bdat(std::uint64_t size_bytes, bool last) {
  return {"BDAT " + std::to_string(size_bytes) + (last ? " LAST" : "")};
}
Command rset() { return {"RSET"}; }
Command quit() { return {"QUIT"}; }

}  // namespace postferry::smtp
