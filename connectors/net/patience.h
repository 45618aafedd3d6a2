// Limits how long a peer may keep us waiting in all. The limit of a stream is for each read alone:
// a server that sends one byte a minute never meets it, and yet a command never ends.
// Must not know what the bytes mean.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "connectors/net/stream.h"
#include "engine/async/executor.h"
#include "engine/async/scope.h"
#include "engine/error.h"

namespace postferry::net {

/// Bytes earn waiting time back at this rate: a line that keeps to it is never too slow.
constexpr std::int64_t kLeastBytesPerSecond = 64;

/// Counts the time that reads have waited since the last write. When it exceeds `patience`, the
/// read throws Error{transient}; what it has read is lost.
class PatientStream final : public Stream {
 public:
  PatientStream(std::unique_ptr<Stream> inner, Duration patience)
      : inner_(std::move(inner)), patience_(patience), left_(patience) {}

  Task<std::size_t> read(std::span<char> into) override {
    Executor& executor = (co_await current_scope()).executor();
    const TimePoint begun = executor.now();
    const std::size_t count = co_await inner_->read(into);
    const auto earned = static_cast<std::int64_t>(count) * kSecond / kLeastBytesPerSecond;
    // Nobody answers before he has heard the whole question.
    const Duration waited = executor.now() - std::max(begun, wrote_);
    left_ = std::min(patience_, left_ - waited + Duration(earned));
    if (left_ < Duration::zero()) {
      throw Error(ErrorKind::transient,
                  "the server sends next to nothing, and its answer never comes to an end");
    }
    co_return count;
  }

  Task<void> write(std::vector<std::string_view> pieces) override {
    co_await inner_->write(std::move(pieces));
    wrote_ = (co_await current_scope()).executor().now();
    left_ = patience_;
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

 private:
  static constexpr std::int64_t kSecond =
      std::chrono::duration_cast<Duration>(std::chrono::seconds(1)).count();

  std::unique_ptr<Stream> inner_;
  Duration patience_;
  Duration left_;
  TimePoint wrote_{};
};

/// How many times the limit of one read a whole answer may keep us waiting.
constexpr int kPatience = 10;

}  // namespace postferry::net
