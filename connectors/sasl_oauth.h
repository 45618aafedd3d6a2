// What XOAUTH2 and OAUTHBEARER (RFC 7628) say. Standard library only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postferry::sasl {

/// `user=U^Aauth=Bearer T^A^A`, as Google and Microsoft define it.
std::string xoauth2_response(std::string_view user, std::string_view token);

/// RFC 7628 3.1: `n,a=U,^Ahost=H^Aport=P^Aauth=Bearer T^A^A`; commas and equal signs in the user
/// are written =2C and =3D (RFC 5801 4).
std::string oauthbearer_response(std::string_view user, std::string_view host, std::uint16_t port,
                                 std::string_view token);

/// Whether a failure challenge (JSON) says that the token is expired or void: status 401 or
/// invalid_token.
bool says_token_expired(std::string_view json);

}  // namespace postferry::sasl
