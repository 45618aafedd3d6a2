// Servers for the tests of the network: blocking sockets on a thread, TLS by OpenSSL's own means,
// certificates made on the spot. Shares no code with what is tested.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace servers {

/// Listens on a free port of the loopback address.
class Listener {
 public:
  explicit Listener(int family = AF_INET, int backlog = 16) : family_(family) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    socklen_t length = 0;
    if (family == AF_INET) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
      v4->sin_family = AF_INET;
      v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      length = sizeof *v4;
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
      v6->sin6_family = AF_INET6;
      v6->sin6_addr = in6addr_loopback;
      length = sizeof *v6;
    }
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(fd_, backlog) != 0) {
      throw std::runtime_error("cannot listen on the loopback address");
    }
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                    : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(fd_); }

  std::uint16_t port() const { return port_; }
  int accept() { return ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); }
  /// An accept() that nobody has come for gets a connection that ends at once.
  void stop() {
    int fd = ::socket(family_, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    [[maybe_unused]] int result = ::connect(fd, reinterpret_cast<sockaddr*>(&address), length);
    ::close(fd);
  }

 private:
  int family_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

/// Accepts one connection and hands it to `serve`, on a thread; closes it afterwards. The
/// destructor waits for that.
class Server {
 public:
  explicit Server(std::function<void(int)> serve, int family = AF_INET)
      : listener_(family), thread_([this, serve = std::move(serve)] {
          // OpenSSL writes without MSG_NOSIGNAL.
          sigset_t pipe_signal;
          sigemptyset(&pipe_signal);
          sigaddset(&pipe_signal, SIGPIPE);
          pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
          int fd = listener_.accept();
          if (fd < 0) return;
          serve(fd);
          ::close(fd);
        }) {}
  ~Server() {
    listener_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return listener_.port(); }

 private:
  Listener listener_;
  std::thread thread_;
};

/// Keeps a server from reading, until the client's part of the test is over.
class Silence {
 public:
  void wait() { ended_.get_future().wait(); }
  void end() { ended_.set_value(); }

 private:
  std::promise<void> ended_;
};

inline void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Reads until the peer ends the stream, or `limit` bytes.
inline std::string receive(int fd, std::size_t limit = SIZE_MAX) {
  std::string out;
  char buffer[65536];
  while (out.size() < limit) {
    ssize_t n = ::recv(fd, buffer, std::min(sizeof buffer, limit - out.size()), 0);
    if (n <= 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}

/// Takes so many bytes at the pace of a slow line.
inline void receive_slowly(int fd, std::size_t count) {
  constexpr std::size_t kPart = 64 << 10;
  for (std::size_t got = 0; got < count;) {
    const std::string part = receive(fd, std::min(kPart, count - got));
    if (part.empty()) return;
    got += part.size();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// The peer gets RST instead of an orderly end.
inline void reset_on_close(int fd) {
  linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

struct CertificateOptions {
  std::string common_name = "localhost";
  std::string alt_names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  long begins = -3600;  // seconds from now
  long ends = 3600;
  bool authority = false;
};

/// A key and a certificate, self-signed unless an issuer is given.
class Certificate {
 public:
  explicit Certificate(const CertificateOptions& options = {}, const Certificate* issuer = nullptr)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), x509_(X509_new(), X509_free) {
    X509* x = x509_.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer == nullptr ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(x), options.begins);
    X509_gmtime_adj(X509_getm_notAfter(x), options.ends);
    X509_set_pubkey(x, key_.get());
    X509_NAME* name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.common_name.c_str()),
                               -1, -1, 0);
    X509_set_issuer_name(x, issuer == nullptr ? name : X509_get_subject_name(issuer->x509()));
    if (!options.alt_names.empty()) extend(NID_subject_alt_name, options.alt_names);
    if (options.authority) extend(NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(x, issuer == nullptr ? key_.get() : issuer->key(), EVP_sha256());
  }

  X509* x509() const { return x509_.get(); }
  EVP_PKEY* key() const { return key_.get(); }

  std::string pem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x509());
    char* text = nullptr;
    long length = BIO_get_mem_data(bio, &text);
    std::string out(text, static_cast<std::size_t>(length));
    BIO_free(bio);
    return out;
  }

  /// SHA-256 of the public key info, by OpenSSL's X509_pubkey encoding.
  std::string pin() const {
    unsigned char* encoded = nullptr;
    int length = i2d_PUBKEY(key_.get(), &encoded);
    unsigned char out[32];
    EVP_Digest(encoded, static_cast<std::size_t>(length), out, nullptr, EVP_sha256(), nullptr);
    OPENSSL_free(encoded);
    return std::string(reinterpret_cast<char*>(out), 32);
  }

 private:
  void extend(int id, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
    X509_add_ext(x509_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> x509_;
};

/// A file with the certificate in it, for ca=.
class PemFile {
 public:
  explicit PemFile(const std::string& text) {
    std::string name = std::filesystem::temp_directory_path() / "ca-XXXXXX";
    int fd = ::mkstemp(name.data());
    if (fd < 0) throw std::runtime_error("mkstemp");
    ::close(fd);
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~PemFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The server's side of TLS on a blocking socket.
class Tls {
 public:
  Tls(int fd, const Certificate& certificate, int lowest = TLS1_2_VERSION,
      int highest = TLS1_3_VERSION, const char* ciphers = nullptr)
      : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX* context = context_.get();
    if (lowest < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, lowest);
    SSL_CTX_set_max_proto_version(context, highest);
    if (ciphers != nullptr) SSL_CTX_set_cipher_list(context, ciphers);
    SSL_CTX_use_certificate(context, certificate.x509());
    SSL_CTX_use_PrivateKey(context, certificate.key());
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), fd);
    accepted_ = SSL_accept(ssl_.get()) == 1;
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) server_name_ = name;
  }

  bool accepted() const { return accepted_; }
  const std::string& server_name() const { return server_name_; }
  SSL* ssl() { return ssl_.get(); }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t n = 0;
      if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n) != 1) return;
      bytes.remove_prefix(n);
    }
  }
  std::string receive(std::size_t limit = SIZE_MAX) {
    std::string out;
    char buffer[65536];
    while (out.size() < limit) {
      std::size_t n = 0;
      if (SSL_read_ex(ssl_.get(), buffer, std::min(sizeof buffer, limit - out.size()), &n) != 1) {
        break;
      }
      out.append(buffer, n);
    }
    return out;
  }
  void close_notify() { SSL_shutdown(ssl_.get()); }
  bool got_close_notify() { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  std::string server_name_;
  bool accepted_ = false;
};

}  // namespace servers
