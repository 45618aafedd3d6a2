// Lines out of bytes, and the decorators that feed them.
#include "connectors/net/transcript.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr std::size_t kLineLimit = 1000;
constexpr std::size_t kLiteralLimit = 200;
constexpr std::uint64_t kTurnLimit = 64 << 10;
constexpr std::string_view kSecret = "<secret>";

/// The size in the {123} or {123+} at the line's end (RFC 9051 §4.3, RFC 7888).
std::optional<std::uint64_t> literal_size(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  line.remove_suffix(1);
  if (line.ends_with('+') || line.ends_with('-')) line.remove_suffix(1);
  std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(open + 1);
  std::uint64_t size = 0;
  auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  bool whole = failure == std::errc() && end == digits.data() + digits.size() && !digits.empty();
  return whole ? std::optional(size) : std::nullopt;
}

}  // namespace

void TranscriptLane::add(std::string_view bytes, bool secret) {
  if (secret) {
    add_secret(bytes);
    return;
  }
  while (!bytes.empty()) {
    if (literal_left_ > 0) {
      bytes = take_literal(bytes);
      continue;
    }
    std::size_t end = bytes.find('\n');
    std::string_view part = bytes.substr(0, end);
    keep(part, kLineLimit);
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) {
      line_.pop_back();
      --line_bytes_;
    }
    std::optional<std::uint64_t> literal = literal_size(line_);
    end_line();
    if (literal && *literal > kLiteralLimit) literal_left_ = *literal;
  }
}

void TranscriptLane::add_secret(std::string_view bytes) {
  if (bytes.empty()) return;
  if (!line_.ends_with(kSecret)) {
    line_ += kSecret;
    line_bytes_ += kSecret.size();
  }
  literal_left_ -= std::min<std::uint64_t>(literal_left_, bytes.size());
  if (bytes.ends_with('\n')) end_line();
}

std::string_view TranscriptLane::take_literal(std::string_view bytes) {
  std::size_t count =
      static_cast<std::size_t>(std::min<std::uint64_t>(literal_left_, bytes.size()));
  keep(bytes.substr(0, count), kLiteralLimit);
  literal_left_ -= count;
  if (literal_left_ == 0) end_line();
  return bytes.substr(count);
}

void TranscriptLane::keep(std::string_view bytes, std::size_t limit) {
  line_bytes_ += bytes.size();
  if (line_.size() < limit) line_ += bytes.substr(0, limit - line_.size());
}

void TranscriptLane::end_line() {
  spoken_ += line_bytes_;
  if (spoken_ > kTurnLimit) {
    unshown_ += line_bytes_;
  } else {
    std::string text = printable(line_, 4 * kLineLimit);
    if (line_bytes_ > line_.size()) text += fmt::format(" ... ({} bytes)", line_bytes_);
    sink_(prefix_ + text);
  }
  line_.clear();
  line_bytes_ = 0;
}

void TranscriptLane::turn() {
  if (unshown_ > 0) sink_(fmt::format("{}... ({} bytes more)", prefix_, unshown_));
  spoken_ = 0;
  unshown_ = 0;
}

void TranscriptLane::flush() {
  if (line_bytes_ > 0) end_line();
  turn();
}

namespace {

class TranscriptStream final : public Stream {
 public:
  TranscriptStream(std::unique_ptr<Stream> inner, std::uint64_t number, const TranscriptSink& sink)
      : inner_(std::move(inner)),
        prefix_(fmt::format("[{}] ", number)),
        sink_(sink),
        client_(prefix_ + "C: ", sink),
        server_(prefix_ + "S: ", sink) {}

  ~TranscriptStream() override { flush(); }

  Task<std::size_t> read(std::span<char> into) override {
    try {
      std::size_t count = co_await inner_->read(into);
      client_.turn();
      server_.add({into.data(), count}, secret_);
      if (count == 0) note("the server ended the connection");
      co_return count;
    } catch (const Error& error) {
      note(error.what());
      throw;
    }
  }

  Task<void> write(std::vector<std::string_view> pieces) override {
    server_.turn();
    for (std::string_view piece : pieces) client_.add(piece, secret_);
    try {
      co_await inner_->write(std::move(pieces));
    } catch (const Error& error) {
      note(error.what());
      throw;
    }
  }

  Task<void> start_tls(TlsOptions options, std::size_t unread_bytes) override {
    try {
      co_await inner_->start_tls(std::move(options), unread_bytes);
      note("TLS begins");
    } catch (const Error& error) {
      note(error.what());
      throw;
    }
  }

  bool encrypted() const override { return inner_->encrypted(); }
  std::string channel_binding(std::string_view type) const override {
    return inner_->channel_binding(type);
  }

  Task<void> close() override {
    note("closed");
    co_await inner_->close();
  }

  void mark_secret(bool secret) override {
    secret_ = secret;
    inner_->mark_secret(secret);
  }

 private:
  void flush() {
    client_.flush();
    server_.flush();
  }
  void note(std::string_view what) {
    flush();
    sink_(fmt::format("{}-- {}", prefix_, what));
  }

  std::unique_ptr<Stream> inner_;
  std::string prefix_;
  const TranscriptSink& sink_;
  TranscriptLane client_;
  TranscriptLane server_;
  bool secret_ = false;
};

}  // namespace

Task<std::unique_ptr<Stream>> TranscriptNetwork::connect(ConnectOptions options) {
  std::uint64_t number = ++connections_;
  sink_(fmt::format("[{}] -- connecting to {} port {}{}", number, printable(options.host, 200),
                    options.port, options.tls ? ", TLS" : ""));
  try {
    std::unique_ptr<Stream> inner = co_await inner_.connect(std::move(options));
    sink_(fmt::format("[{}] -- connected", number));
    co_return std::make_unique<TranscriptStream>(std::move(inner), number, sink_);
  } catch (const Error& error) {
    sink_(fmt::format("[{}] -- {}", number, error.what()));
    throw;
  }
}

}  // namespace postferry::net
