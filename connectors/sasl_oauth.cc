#include "connectors/sasl_oauth.h"

namespace postferry::sasl {
namespace {

constexpr char kSeparator = '\x01';

std::string gs2_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ',') {
      out += "=2C";
    } else if (c == '=') {
      out += "=3D";
    } else {
      out += c;
    }
  }
  return out;
}

/// The value of a string or number `key` at any depth of a JSON text; enough for the flat objects
/// of RFC 7628 3.2.2.
std::string_view json_value(std::string_view json, std::string_view key) {
  for (std::size_t at = json.find(key); at != std::string_view::npos; at = json.find(key, at + 1)) {
    if (at == 0 || json[at - 1] != '"') continue;
    std::string_view rest = json.substr(at + key.size());
    if (!rest.starts_with('"')) continue;
    rest.remove_prefix(1);
    const std::size_t colon = rest.find_first_not_of(" \t\r\n");
    if (colon == std::string_view::npos || rest[colon] != ':') continue;  // a value, not a key
    const std::size_t start = rest.find_first_not_of(" \t\r\n\"", colon + 1);
    if (start == std::string_view::npos) return {};
    rest.remove_prefix(start);
    return rest.substr(0, rest.find_first_of("\",} \t\r\n"));
  }
  return {};
}

}  // namespace

std::string xoauth2_response(std::string_view user, std::string_view token) {
  std::string response = "user=";
  response.append(user).append(1, kSeparator);
  response.append("auth=Bearer ").append(token).append(2, kSeparator);
  return response;
}

std::string oauthbearer_response(std::string_view user, std::string_view host, std::uint16_t port,
                                 std::string_view token) {
  std::string response = "n,a=" + gs2_name(user) + ",";
  response.append(1, kSeparator).append("host=").append(host);
  response.append(1, kSeparator).append("port=").append(std::to_string(port));
  response.append(1, kSeparator).append("auth=Bearer ").append(token).append(2, kSeparator);
  return response;
}

bool says_token_expired(std::string_view json) {
  const std::string_view status = json_value(json, "status");
  return status == "401" || status == "invalid_token";
}

}  // namespace postferry::sasl
