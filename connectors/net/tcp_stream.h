// The Stream of the real network: a socket, and TLS on it once there is some.
// Must not know names or protocols.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "connectors/net/stream.h"
#include "connectors/net/tls.h"
#include "connectors/net/uv_tcp.h"

namespace postferry::net {

class TcpStream final : public Stream {
 public:
  using Contexts = std::function<std::shared_ptr<TlsContext>(const TlsContext::Key& key)>;

  /// `peer` is "imap.example.org:993", the context of every error. The limit of each read and each
  /// write to make progress is the socket's.
  TcpStream(std::unique_ptr<UvTcp> tcp, std::string peer, Contexts contexts);
  ~TcpStream() override;

  Task<std::size_t> read(std::span<char> into) override;
  Task<void> write(std::vector<std::string_view> pieces) override;
  Task<void> start_tls(TlsOptions options, std::size_t unread_bytes) override;
  /// start_tls without its look at bytes in the clear: for implicit TLS, where what a server says
  /// instead of TLS is worth showing.
  Task<void> handshake(TlsOptions options);
  bool encrypted() const override { return tls_ != nullptr; }
  std::string channel_binding(std::string_view type) const override;
  Task<void> close() override;

 private:
  class Operation;

  Task<void> write_clear(std::vector<std::string_view> pieces);
  Task<void> write_encrypted(std::vector<std::string_view> pieces);
  Task<void> flush();
  Task<void> say_goodbye();
  bool time_to_yield() { return ++steps_ % kStepsBetweenYields == 0; }
  [[noreturn]] void throw_line_error(int code) const;

  // A peer that is always faster must not keep the loop to itself.
  static constexpr unsigned kStepsBetweenYields = 32;

  std::unique_ptr<UvTcp> tcp_;
  std::string peer_;
  Contexts contexts_;
  std::unique_ptr<TlsSession> tls_;
  std::string staging_;  // small pieces on their way into one record
  int running_ = 0;      // operations under way
  bool broken_ = false;  // one has failed or was cancelled
  unsigned steps_ = 0;
};

}  // namespace postferry::net
