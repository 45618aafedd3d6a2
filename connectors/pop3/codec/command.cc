#include "connectors/pop3/codec/command.h"

#include <stdexcept>

namespace postferry::pop3 {
namespace {

std::string with_argument(std::string_view verb, std::string_view argument) {
  if (argument.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    throw std::invalid_argument("a line end or NUL cannot be said in a POP3 command");
  }
  std::string text;
  text.reserve(verb.size() + 1 + argument.size());
  text.append(verb).append(1, ' ').append(argument);
  return text;
}

}  // namespace

Command capa() { return {"CAPA"}; }
Command stls() { return {"STLS"}; }
Command uidl() { return {"UIDL"}; }
Command list() { return {"LIST"}; }
Command stat() { return {"STAT"}; }
Command list(std::uint32_t number) { return {"LIST " + std::to_string(number)}; }
Command quit() { return {"QUIT"}; }
Command retr(std::uint32_t number) { return {"RETR " + std::to_string(number)}; }
Command dele(std::uint32_t number) { return {"DELE " + std::to_string(number)}; }

Command top(std::uint32_t number, std::uint32_t lines) {
  return {"TOP " + std::to_string(number) + " " + std::to_string(lines)};
}

Command user(std::string_view name) { return {with_argument("USER", name)}; }
Command pass(std::string_view password) { return {with_argument("PASS", password), true}; }
Command auth(std::string_view mechanism) { return {with_argument("AUTH", mechanism)}; }

Command auth_response(std::string_view base64) {
  if (base64.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    throw std::invalid_argument("a SASL response is one line");
  }
  return {std::string(base64), true};
}

std::string joined(const std::vector<Command>& commands) {
  std::string wire;
  for (const Command& command : commands) wire.append(command.text).append("\r\n");
  return wire;
}

}  // namespace postferry::pop3
