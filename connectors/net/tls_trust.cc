// Judging certificates with OpenSSL's X.509.
#include "connectors/net/tls_trust.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>

#include "connectors/net/address.h"
#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr std::size_t kMostNames = 5;

struct OpenSslFree {
  void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

std::string hex(std::string_view bytes) {
  std::string out;
  for (char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::string digest(const EVP_MD* method, const unsigned char* bytes, int length) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (length < 0 ||
      EVP_Digest(bytes, static_cast<std::size_t>(length), out, &size, method, nullptr) != 1) {
    return {};
  }
  return std::string(reinterpret_cast<const char*>(out), size);
}

std::string_view view(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string common_name(const X509_NAME* name) {
  int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return {};
  return printable(view(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))), 100);
}

std::string address_text(const ASN1_STRING* bytes) {
  std::string_view raw = view(bytes);
  char text[64];
  if (raw.size() == 4) {
    return fmt::format("{}.{}.{}.{}", static_cast<unsigned char>(raw[0]),
                       static_cast<unsigned char>(raw[1]), static_cast<unsigned char>(raw[2]),
                       static_cast<unsigned char>(raw[3]));
  }
  if (raw.size() != 16 || ::inet_ntop(AF_INET6, raw.data(), text, sizeof text) == nullptr) {
    return "a strange address";
  }
  return text;
}

/// "old.example, mail.old.example and 3 more".
std::string names_of(X509* certificate) {
  std::string out;
  std::size_t count = 0;
  auto add = [&](const std::string& name) {
    if (++count > kMostNames) return;
    if (!out.empty()) out += ", ";
    out += name;
  };
  std::unique_ptr<GENERAL_NAMES, OpenSslFree> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) add(printable(view(name->d.dNSName), 100));
    if (name->type == GEN_IPADD) add(address_text(name->d.iPAddress));
  }
  if (count == 0) {
    std::string subject = common_name(X509_get_subject_name(certificate));
    if (!subject.empty()) add(subject);
  }
  if (count == 0) return "nobody";
  if (count > kMostNames) out += fmt::format(" and {} more", count - kMostNames);
  return out;
}

std::string date_text(const ASN1_TIME* time) {
  std::unique_ptr<BIO, OpenSslFree> bio(BIO_new(BIO_s_mem()));
  if (!bio || ASN1_TIME_print(bio.get(), time) != 1) return "an unknown date";
  char* text = nullptr;
  long length = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(length));
}

std::string explain(X509_STORE_CTX* chain, X509* leaf, const TlsOptions& options) {
  int code = X509_STORE_CTX_get_error(chain);
  X509* at = X509_STORE_CTX_get_current_cert(chain);
  if (at == nullptr) at = leaf;
  std::string seen = "pin=sha256:" + hex(public_key_hash(leaf));
  std::string who = at == leaf ? "the certificate"
                               : fmt::format("the authority's certificate \"{}\"",
                                             common_name(X509_get_subject_name(at)));
  switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("the certificate is for {}, not {}", names_of(leaf),
                         printable(certificate_host(options.host), 100));
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} expired on {}", who, date_text(X509_get0_notAfter(at)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is not valid before {}; is the clock right?", who,
                         date_text(X509_get0_notBefore(at)));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return fmt::format(
          "the certificate is self-signed; if it is the right one, trust it with ca=FILE or {}",
          seen);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return fmt::format(
          "the certificate was issued by \"{}\", which {}; trust it with ca=FILE or {}",
          common_name(X509_get_issuer_name(at)),
          options.ca_file ? "is not in the ca file" : "is unknown to this system", seen);
    default:
      return fmt::format("{} is not accepted: {}", who, X509_verify_cert_error_string(code));
  }
}

}  // namespace

std::string public_key_hash(X509* certificate) {
  unsigned char* encoded = nullptr;
  int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
  std::unique_ptr<unsigned char, OpenSslFree> owner(encoded);
  return digest(EVP_sha256(), encoded, length);
}

std::string server_end_point(X509* certificate) {
  int method_id = NID_undef;
  if (X509_get_signature_info(certificate, &method_id, nullptr, nullptr, nullptr) != 1) return {};
  if (method_id == NID_md5 || method_id == NID_sha1) method_id = NID_sha256;
  const EVP_MD* method = method_id == NID_undef ? nullptr : EVP_get_digestbynid(method_id);
  if (method == nullptr) return {};
  unsigned char* encoded = nullptr;
  int length = i2d_X509(certificate, &encoded);
  std::unique_ptr<unsigned char, OpenSslFree> owner(encoded);
  return digest(method, encoded, length);
}

std::string certificate_host(const std::string& host) {
  std::string out = host.substr(0, host.find('%'));
  if (out.ends_with('.')) out.pop_back();
  return out;
}

bool is_ip_literal(const std::string& host) {
  return parse_address(certificate_host(host), 0).has_value();
}

bool looks_at_chain(const TlsOptions& options) {
  bool pin_decides = options.pin_sha256 && !options.ca_file;
  return options.verify && !pin_decides;
}

std::string judge_certificate(X509_STORE_CTX* chain, const TlsOptions& options) {
  X509* leaf = X509_STORE_CTX_get0_cert(chain);
  if (leaf == nullptr) return "the server showed no certificate";
  if (options.pin_sha256) {
    std::string seen = public_key_hash(leaf);
    if (seen.size() != 32 || seen != *options.pin_sha256) {
      X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
      return fmt::format("the server's key is not the pinned one; it has pin=sha256:{}", hex(seen));
    }
  }
  if (!looks_at_chain(options)) {
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return {};
  }
  if (X509_verify_cert(chain) > 0) return {};
  return explain(chain, leaf, options);
}

}  // namespace postferry::net
