// The client's side of TLS over a line that never waits. Must not know the loop: who calls waits
// for the line, and calls again.
#pragma once

#include <openssl/ssl.h>

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "connectors/net/stream.h"
#include "connectors/net/uv_tcp.h"

namespace postferry::net {

/// What all sessions share that trust the same authorities.
class TlsContext {
 public:
  enum class Authorities { none, system, file };
  struct Key {
    Authorities authorities = Authorities::system;
    std::string ca_file;
    auto operator<=>(const Key&) const = default;
  };
  /// Which context a session with these options needs.
  static Key key(const TlsOptions& options);

  /// Throws Error{usage} when a ca file cannot be read.
  explicit TlsContext(const Key& key);
  SSL_CTX* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
};

/// TLS 1.2 or newer; renegotiation is refused. Bytes are decrypted straight into the caller's
/// memory and encrypted straight out of it; ciphertext goes to the socket without being stored,
/// unless the socket is full. Errors are Error{tls}, or Error{transient} where the line failed;
/// after one, only destruction is allowed.
class TlsSession {
 public:
  enum class Step { done, wait_to_read, wait_to_write };

  TlsSession(std::shared_ptr<TlsContext> context, TlsOptions options, UvTcp& tcp);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();

  /// Goes on with the handshake. Throws Error{tls} with the whole reason when the server is not
  /// trusted, before anything else is sent.
  Step handshake();

  /// At least one byte, or 0 for the end told by close_notify, or nothing: wait to read.
  /// Throws Error{transient} when the line ends without close_notify.
  std::optional<std::size_t> read(std::span<char> into);

  /// Encrypts up to one record (16 KiB) of it; says how many bytes that was. Only when flush() has
  /// returned true.
  std::size_t write(std::string_view bytes);
  /// Sends ciphertext that the socket has not taken yet. False: wait to write, then call again.
  bool flush();
  /// Sends close_notify; then flush().
  void shut_down();

  std::string channel_binding(std::string_view type) const;

 private:
  struct Wire;  // the callbacks through which OpenSSL reads and writes
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  static int judge(X509_STORE_CTX* chain, void* unused);
  friend class TlsContext;

  [[noreturn]] void fail(int result);
  std::string handshake_failure() const;

  std::shared_ptr<TlsContext> context_;
  TlsOptions options_;
  UvTcp& tcp_;
  struct MethodFree {
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
  };
  std::unique_ptr<BIO_METHOD, MethodFree> method_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string unsent_;          // ciphertext that the socket did not take
  std::size_t sent_ = 0;        // of unsent_
  int line_error_ = 0;          // an errno of the socket
  bool line_ended_ = false;     // the peer has closed the line
  bool established_ = false;    // the handshake is over
  std::string distrust_;        // why the certificate was refused
  std::string first_words_;     // what the server said first, for a server that speaks no TLS
  std::exception_ptr failure_;  // met after bytes that had to be handed out first
};

}  // namespace postferry::net
