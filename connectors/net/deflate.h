// A stream on which all is deflated, in both directions: raw RFC 1951 blocks, as COMPRESS=DEFLATE
// (RFC 4978) has them. A decorator, and the only place that knows zlib.
#pragma once

#include <memory>
#include <string_view>

#include "connectors/net/stream.h"

namespace postferry::net {

/// What a write() says is whole on the line when it returns. However much a few bytes from the peer
/// inflate to, a read() yields no more than it has room for, and no more is held than 100 KiB.
/// Throws Error{protocol} on what is not deflated.
class DeflateStream final : public Stream {
 public:
  /// From now on both ends speak so. `unread` came from the peer before, and is deflated, too.
  DeflateStream(std::unique_ptr<Stream> inner, std::string_view unread);
  ~DeflateStream() override;

  Task<std::size_t> read(std::span<char> into) override;
  Task<void> write(std::vector<std::string_view> pieces) override;
  /// Never: TLS comes first (RFC 4978 §3).
  Task<void> start_tls(TlsOptions options, std::size_t unread_bytes) override;
  bool encrypted() const override { return inner_->encrypted(); }
  std::string channel_binding(std::string_view type) const override {
    return inner_->channel_binding(type);
  }
  Task<void> close() override { return inner_->close(); }
  void mark_secret(bool secret) override { inner_->mark_secret(secret); }

 private:
  struct Zlib;

  std::unique_ptr<Stream> inner_;
  std::unique_ptr<Zlib> zlib_;
};

}  // namespace postferry::net
