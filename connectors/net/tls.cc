// TLS by OpenSSL, with its reads and writes going straight to the socket.
#include "connectors/net/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/uio.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "connectors/net/tls_trust.h"
#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr std::size_t kRecordBytes = 16 << 10;
// One system call reads several records.
constexpr std::size_t kReadAheadBytes = 64 << 10;
constexpr std::size_t kFirstWordsBytes = 80;

std::string last_reason() {
  unsigned long code = ERR_peek_last_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "an unknown failure" : text;
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::tls, fmt::format("{}: {}", what, last_reason()));
}

/// True when the system keeps its authorities one a file, named by hash ("4042bcee.0").
bool has_hashed_directory() {
  std::error_code failure;
  std::filesystem::directory_iterator entries(X509_get_default_cert_dir(), failure);
  if (failure) return false;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename();
    if (name.size() == 10 && name.ends_with(".0")) return true;
  }
  return false;
}

/// Reading the whole bundle costs 50 ms of every run; the directory is looked up when needed.
void trust_system(SSL_CTX* context) {
  bool chosen = std::getenv(X509_get_default_cert_file_env()) != nullptr ||
                std::getenv(X509_get_default_cert_dir_env()) != nullptr;
  int result = !chosen && has_hashed_directory() ? SSL_CTX_set_default_verify_dir(context)
                                                 : SSL_CTX_set_default_verify_paths(context);
  if (result != 1) refuse("cannot read the system's certificates");
}

}  // namespace

TlsContext::Key TlsContext::key(const TlsOptions& options) {
  // A ca file is read even when it will not be asked: a wrong one should not go unnoticed.
  if (options.ca_file) return {Authorities::file, *options.ca_file};
  return {looks_at_chain(options) ? Authorities::system : Authorities::none, {}};
}

TlsContext::TlsContext(const Key& key) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) refuse("cannot set up TLS");
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &TlsSession::judge, nullptr);
  if (key.authorities == Authorities::system) trust_system(context);
  if (key.authorities != Authorities::file) return;
  if (SSL_CTX_load_verify_file(context, key.ca_file.c_str()) != 1) {
    throw Error(ErrorKind::usage, fmt::format("cannot read certificates from the ca file {}: {}",
                                              printable(key.ca_file, 200), last_reason()));
  }
  // Whatever the file holds is trusted, be it a root or not.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
}

struct TlsSession::Wire {
  static TlsSession& session(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t size, std::size_t* got) {
    TlsSession& self = session(bio);
    BIO_clear_retry_flags(bio);
    IoResult result = self.tcp_.try_read({into, size});
    *got = result.bytes;
    if (result.would_wait()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    if (result.error != 0) self.line_error_ = result.error;
    if (result.error == 0 && result.bytes == 0) self.line_ended_ = true;
    if (!self.established_ && self.first_words_.size() < kFirstWordsBytes) {
      self.first_words_.append(into,
                               std::min(result.bytes, kFirstWordsBytes - self.first_words_.size()));
    }
    return result.bytes > 0 ? 1 : 0;
  }

  // Takes everything: OpenSSL then never has to be called again with the same bytes, and what a
  // read has to send (an answer to KeyUpdate) cannot come between the parts of a record.
  static int write(BIO* bio, const char* bytes, std::size_t size, std::size_t* taken) {
    TlsSession& self = session(bio);
    BIO_clear_retry_flags(bio);
    std::size_t sent = 0;
    if (self.unsent_.empty()) {
      iovec piece{const_cast<char*>(bytes), size};
      IoResult result = self.tcp_.try_write({&piece, 1});
      if (result.error != 0 && !result.would_wait()) {
        self.line_error_ = result.error;
        return 0;
      }
      sent = result.bytes;
    }
    self.unsent_.append(bytes + sent, size - sent);
    *taken = size;
    return 1;
  }

  static long control(BIO* bio, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_FLUSH:
        return 1;
      case BIO_CTRL_EOF:
        return session(bio).line_ended_ ? 1 : 0;
      default:
        return 0;
    }
  }
};

TlsSession::TlsSession(std::shared_ptr<TlsContext> context, TlsOptions options, UvTcp& tcp)
    : context_(std::move(context)), options_(std::move(options)), tcp_(tcp) {
  ERR_clear_error();
  method_.reset(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket"));
  ssl_.reset(SSL_new(context_->get()));
  if (!method_ || !ssl_) refuse("cannot set up TLS");
  BIO_meth_set_read_ex(method_.get(), &Wire::read);
  BIO_meth_set_write_ex(method_.get(), &Wire::write);
  BIO_meth_set_ctrl(method_.get(), &Wire::control);
  BIO* bio = BIO_new(method_.get());
  if (bio == nullptr) refuse("cannot set up TLS");
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_connect_state(ssl_.get());

  std::string host = certificate_host(options_.host);
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl_.get());
  bool good = false;
  if (is_ip_literal(host)) {
    good = X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1;
  } else if (!host.empty()) {
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    good = X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size()) == 1 &&
           SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1;
  }
  if (!good) throw Error(ErrorKind::tls, "no host name to verify the certificate against");
}

TlsSession::~TlsSession() = default;

int TlsSession::judge(X509_STORE_CTX* chain, void*) {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* self = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  self->distrust_ = judge_certificate(chain, self->options_);
  return self->distrust_.empty() ? 1 : 0;
}

TlsSession::Step TlsSession::handshake() {
  if (!flush()) return Step::wait_to_write;
  if (established_) return Step::done;
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    established_ = true;
    return flush() ? Step::done : Step::wait_to_write;
  }
  if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) fail(result);
  return flush() ? Step::wait_to_read : Step::wait_to_write;
}

std::optional<std::size_t> TlsSession::read(std::span<char> into) {
  assert(established_ && !into.empty());
  if (failure_) std::rethrow_exception(failure_);
  std::size_t got = 0;
  do {
    std::size_t count = 0;
    ERR_clear_error();
    int result = SSL_read_ex(ssl_.get(), into.data() + got, into.size() - got, &count);
    got += count;
    if (result == 1) continue;
    int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) break;
    if (error == SSL_ERROR_ZERO_RETURN) return got;  // 0 is told by the next call again
    try {
      fail(result);
    } catch (const Error&) {
      if (got == 0) throw;
      failure_ = std::current_exception();
      break;
    }
  } while (got < into.size() && SSL_has_pending(ssl_.get()));
  flush();  // An answer to KeyUpdate may be waiting; if the socket is full, it goes with a write.
  if (got == 0) return std::nullopt;
  return got;
}

std::size_t TlsSession::write(std::string_view bytes) {
  assert(established_ && unsent_.empty() && !bytes.empty());
  std::size_t taken = 0;
  ERR_clear_error();
  int result = SSL_write_ex(ssl_.get(), bytes.data(), std::min(bytes.size(), kRecordBytes), &taken);
  if (result != 1) fail(result);
  return taken;
}

bool TlsSession::flush() {
  while (sent_ < unsent_.size()) {
    iovec piece{unsent_.data() + sent_, unsent_.size() - sent_};
    IoResult result = tcp_.try_write({&piece, 1});
    if (result.would_wait()) return false;
    if (result.error != 0) {
      throw Error(ErrorKind::transient, std::generic_category().message(result.error));
    }
    sent_ += result.bytes;
  }
  unsent_.clear();
  sent_ = 0;
  return true;
}

void TlsSession::shut_down() {
  if (!established_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

/// Throws what the failed call of OpenSSL means.
void TlsSession::fail(int result) {
  int error = SSL_get_error(ssl_.get(), result);
  if (!distrust_.empty()) throw Error(ErrorKind::tls, distrust_);
  if (line_error_ != 0) {
    throw Error(ErrorKind::transient, std::generic_category().message(line_error_));
  }
  if (line_ended_) {
    throw Error(ErrorKind::transient,
                established_ ? "the connection was cut: it ended without the close_notify of TLS"
                             : "the server closed the connection during the TLS handshake");
  }
  if (!established_) throw Error(ErrorKind::tls, handshake_failure());
  if (ERR_GET_REASON(ERR_peek_last_error()) > SSL_AD_REASON_OFFSET) {
    // An alert in mid-session says nothing about trust; the server is in trouble.
    throw Error(ErrorKind::transient, fmt::format("the server broke off TLS: {}", last_reason()));
  }
  throw Error(ErrorKind::tls,
              fmt::format("TLS failed: {}", error == SSL_ERROR_SSL ? last_reason() : "no reason"));
}

std::string TlsSession::handshake_failure() const {
  int reason = ERR_GET_REASON(ERR_peek_last_error());
  bool tls_record = first_words_.starts_with('\x16') || first_words_.starts_with('\x15');
  if (!first_words_.empty() && !tls_record) {
    return fmt::format("the server does not speak TLS here; it said: {}",
                       printable(first_words_, kFirstWordsBytes));
  }
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the server speaks no TLS 1.2 or newer";
    default:
      return fmt::format("the TLS handshake failed: {}", last_reason());
  }
}

std::string TlsSession::channel_binding(std::string_view type) const {
  if (!established_) return {};
  if (type == "tls-exporter") {
    // RFC 9266 §4.2: in older versions it is not safe without more conditions.
    if (SSL_version(ssl_.get()) < TLS1_3_VERSION) return {};
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    std::string out(32, '\0');
    int result =
        SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(out.data()),
                                   out.size(), kLabel.data(), kLabel.size(), nullptr, 0, 1);
    return result == 1 ? out : std::string();
  }
  if (type == "tls-server-end-point") {
    X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    return certificate == nullptr ? std::string() : server_end_point(certificate);
  }
  return {};
}

}  // namespace postferry::net
