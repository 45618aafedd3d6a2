// Whether a certificate may be believed, and words for people when it may not.
// Must not know sockets.
#pragma once

#include <openssl/x509.h>

#include <string>

#include "connectors/net/stream.h"

namespace postferry::net {

/// The answer, in whole sentences without the peer's name; empty: trusted.
///
/// With a pin and no ca file, the pin alone decides: neither chain, name nor dates are looked at.
/// With both, both must hold. verify=false looks at nothing but the pin.
std::string judge_certificate(X509_STORE_CTX* chain, const TlsOptions& options);

/// Whether judge_certificate will need any authorities.
bool looks_at_chain(const TlsOptions& options);

/// SHA-256 of the certificate's SubjectPublicKeyInfo: 32 bytes.
std::string public_key_hash(X509* certificate);

/// RFC 5929 §4: the certificate under its own signature's hash; empty where that is undefined.
std::string server_end_point(X509* certificate);

/// The host as certificates and SNI want it: without a final dot or an IPv6 zone.
std::string certificate_host(const std::string& host);
bool is_ip_literal(const std::string& host);

}  // namespace postferry::net
