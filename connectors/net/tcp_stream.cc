// Waits for the socket between steps of reading, writing and the TLS handshake.
#include "connectors/net/tcp_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <system_error>

#include "engine/async/timeout.h"
#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr std::size_t kRecordBytes = 16 << 10;
constexpr std::chrono::milliseconds kGoodbyeLimit{1000};
constexpr std::size_t kMostIgnoredBytes = 1 << 20;

}  // namespace

/// Notes that something is under way, and gives every failure the peer's name. An operation that
/// does not reach finish() has broken the stream: half a record may be gone.
class TcpStream::Operation {
 public:
  explicit Operation(TcpStream& stream) : stream_(stream) { ++stream_.running_; }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() {
    --stream_.running_;
    if (!finished_) stream_.broken_ = true;
  }
  void finish() { finished_ = true; }

 private:
  TcpStream& stream_;
  bool finished_ = false;
};

TcpStream::TcpStream(std::unique_ptr<UvTcp> tcp, std::string peer, Contexts contexts)
    : tcp_(std::move(tcp)), peer_(std::move(peer)), contexts_(std::move(contexts)) {}

TcpStream::~TcpStream() = default;

void TcpStream::throw_line_error(int code) const {
  std::string reason = code == ENOTCONN ? "the connection was closed on this side"
                                        : std::generic_category().message(code);
  throw Error(ErrorKind::transient, std::move(reason), peer_);
}

Task<std::size_t> TcpStream::read(std::span<char> into) {
  assert(!into.empty());
  Operation operation(*this);
  if (time_to_yield()) co_await yield();
  co_await check_cancelled();
  std::size_t got = 0;
  try {
    while (true) {
      if (tls_) {
        if (std::optional<std::size_t> count = tls_->read(into)) {
          got = *count;
          break;
        }
      } else {
        IoResult result = tcp_->try_read(into);
        if (result.error == 0) {
          got = result.bytes;
          break;
        }
        if (!result.would_wait()) throw_line_error(result.error);
      }
      co_await tcp_->readable();
    }
  } catch (const TimedOut&) {
    throw Error(ErrorKind::transient, "the server has not answered in time", peer_);
  } catch (const Error& error) {
    if (!error.context().empty()) throw;
    throw error.in(peer_);
  }
  operation.finish();
  co_return got;
}

Task<void> TcpStream::write(std::vector<std::string_view> pieces) {
  Operation operation(*this);
  if (time_to_yield()) co_await yield();
  co_await check_cancelled();
  try {
    if (tls_) {
      co_await write_encrypted(std::move(pieces));
    } else {
      co_await write_clear(std::move(pieces));
    }
  } catch (const TimedOut&) {
    throw Error(ErrorKind::transient, "the server has not taken our bytes in time", peer_);
  } catch (const Error& error) {
    if (!error.context().empty()) throw;
    throw error.in(peer_);
  }
  operation.finish();
}

Task<void> TcpStream::write_clear(std::vector<std::string_view> pieces) {
  std::vector<iovec> left;
  left.reserve(pieces.size());
  for (std::string_view piece : pieces) {
    if (!piece.empty()) left.push_back({const_cast<char*>(piece.data()), piece.size()});
  }
  std::size_t next = 0;
  while (next < left.size()) {
    IoResult result = tcp_->try_write(std::span(left).subspan(next));
    if (result.would_wait()) {
      co_await tcp_->writable();
      continue;
    }
    if (result.error != 0) throw_line_error(result.error);
    for (std::size_t taken = result.bytes; taken > 0;) {
      iovec& piece = left[next];
      std::size_t step = std::min(taken, piece.iov_len);
      piece.iov_base = static_cast<char*>(piece.iov_base) + step;
      piece.iov_len -= step;
      taken -= step;
      if (piece.iov_len == 0) ++next;
    }
    if (time_to_yield()) co_await yield();
  }
}

// Whole records go out of the caller's memory; only pieces that share a record are joined first.
Task<void> TcpStream::write_encrypted(std::vector<std::string_view> pieces) {
  co_await flush();
  staging_.clear();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string_view piece = pieces[i];
    bool last = i + 1 == pieces.size();
    while (!piece.empty()) {
      if (staging_.empty() && (piece.size() >= kRecordBytes || last)) {
        piece.remove_prefix(tls_->write(piece));
      } else {
        std::size_t step = std::min(piece.size(), kRecordBytes - staging_.size());
        staging_.append(piece.substr(0, step));
        piece.remove_prefix(step);
        if (staging_.size() < kRecordBytes) continue;
        tls_->write(staging_);
        staging_.clear();
      }
      co_await flush();
      if (time_to_yield()) co_await yield();
    }
  }
  if (staging_.empty()) co_return;
  tls_->write(staging_);
  staging_.clear();
  co_await flush();
}

Task<void> TcpStream::flush() {
  while (!tls_->flush()) co_await tcp_->writable();
}

Task<void> TcpStream::start_tls(TlsOptions options, std::size_t unread_bytes) {
  Operation operation(*this);
  co_await check_cancelled();
  if (unread_bytes > 0 || tcp_->has_unread_bytes()) {
    throw Error(ErrorKind::tls,
                "the server sent bytes in the clear before the TLS handshake; somebody may have "
                "put them there",
                peer_);
  }
  operation.finish();
  co_await handshake(std::move(options));
}

Task<void> TcpStream::handshake(TlsOptions options) {
  assert(!tls_);
  Operation operation(*this);
  try {
    std::shared_ptr<TlsContext> context = contexts_(TlsContext::key(options));
    auto session = std::make_unique<TlsSession>(std::move(context), std::move(options), *tcp_);
    while (true) {
      TlsSession::Step step = session->handshake();
      if (step == TlsSession::Step::done) break;
      if (step == TlsSession::Step::wait_to_read) {
        co_await tcp_->readable();
      } else {
        co_await tcp_->writable();
      }
    }
    tls_ = std::move(session);
  } catch (const TimedOut&) {
    throw Error(ErrorKind::transient, "the TLS handshake took too long", peer_);
  } catch (const Error& error) {
    throw error.in(peer_);
  }
  operation.finish();
}

std::string TcpStream::channel_binding(std::string_view type) const {
  return tls_ ? tls_->channel_binding(type) : std::string();
}

Task<void> TcpStream::close() {
  struct Closer {
    UvTcp& tcp;
    ~Closer() { tcp.close(); }
  } closer{*tcp_};
  if (broken_ || running_ > 0 || tcp_->closed()) co_return;
  try {
    co_await with_timeout(kGoodbyeLimit, say_goodbye());
  } catch (const Error&) {
    // The line is gone already, which is what was asked for.
  } catch (const TimedOut&) {
    // The peer takes nothing any more: it need not hear that we go.
  }
}

Task<void> TcpStream::say_goodbye() {
  if (tls_) {
    co_await flush();
    tls_->shut_down();
    co_await flush();
  }
  tcp_->end_writing();
  // Closing a socket with unread bytes in it (TLS 1.3 sends tickets that nobody asked for) resets
  // the connection, and the peer may lose what we sent last. So we hear it out.
  std::string ignored(kRecordBytes, '\0');
  for (std::size_t heard = 0; heard < kMostIgnoredBytes;) {
    IoResult result = tcp_->try_read(ignored);
    if (result.would_wait()) {
      co_await tcp_->readable();
    } else if (result.error != 0 || result.bytes == 0) {
      co_return;
    }
    heard += result.bytes;
  }
}

}  // namespace postferry::net
