// Builds POP3 commands (RFC 1939, 2449, 2595, 5034). Knows no connection and keeps no secret: which
// part of a command is one is said, for the transcript.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::pop3 {

/// One command, ready to be sent as `text` and its line end.
struct Command {
  std::string text;
  bool secret = false;  // a transcript must not show it
};

Command capa();
Command stls();
Command uidl();
Command stat();
Command list();
Command list(std::uint32_t number);
Command quit();
Command retr(std::uint32_t number);
Command dele(std::uint32_t number);
Command top(std::uint32_t number, std::uint32_t lines);

/// USER and PASS. Throw std::invalid_argument where an argument has a CR, LF or NUL in it: such a
/// name or password cannot be said in POP3.
Command user(std::string_view name);
Command pass(std::string_view password);
/// AUTH without an initial response (RFC 5034): two steps work everywhere, one step does not.
Command auth(std::string_view mechanism);
/// The answer to a `+` challenge, already in base64; empty and `*` are allowed.
Command auth_response(std::string_view base64);

/// All commands in one piece, each with its line end.
std::string joined(const std::vector<Command>& commands);

}  // namespace postferry::pop3
