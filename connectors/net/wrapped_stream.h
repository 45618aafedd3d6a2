// A stream around another that leaves all as it is: what decorators begin with.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/net/stream.h"

namespace postferry::net {

class WrappedStream : public Stream {
 public:
  explicit WrappedStream(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}

  Task<std::size_t> read(std::span<char> into) override { return inner_->read(into); }
  Task<void> write(std::vector<std::string_view> pieces) override {
    return inner_->write(std::move(pieces));
  }
  Task<void> start_tls(TlsOptions options, std::size_t unread_bytes) override {
    return inner_->start_tls(std::move(options), unread_bytes);
  }
  bool encrypted() const override { return inner_->encrypted(); }
  std::string channel_binding(std::string_view type) const override {
    return inner_->channel_binding(type);
  }
  Task<void> close() override { return inner_->close(); }
  void mark_secret(bool secret) override { inner_->mark_secret(secret); }

 protected:
  Stream& inner() { return *inner_; }

 private:
  std::unique_ptr<Stream> inner_;
};

}  // namespace postferry::net
