// The two lanes of a pipe in memory. Must not know libuv.
#include "connectors/net/memory_stream.h"

#include <algorithm>
#include <cassert>
#include <exception>
#include <optional>

#include "engine/error.h"

namespace postferry::net {

struct MemoryStream::Lane {
  std::string bytes;
  std::size_t taken = 0;  // of bytes, read already
  bool ended = false;     // the writer will write no more
  bool deaf = false;      // the reader will read no more
  bool cut = false;
  std::optional<std::size_t> cut_after;
  Completion<void> readable;
  Completion<void> writable;

  std::size_t pending() const { return bytes.size() - taken; }
  static void wake(Completion<void>& waiter) {
    if (waiter.awaited()) waiter.set_value();
  }
  void wake_both() {
    wake(readable);
    wake(writable);
  }
  void break_line() {
    cut = true;
    bytes.clear();
    taken = 0;
    wake_both();
  }
};

namespace {

[[noreturn]] void throw_lost(const char* what) { throw Error(ErrorKind::transient, what); }

}  // namespace

MemoryStream::MemoryStream(std::shared_ptr<Lane> in, std::shared_ptr<Lane> out,
                           const PipeOptions& options)
    : in_(std::move(in)), out_(std::move(out)), options_(options), encrypted_(options.encrypted) {
  assert(options_.capacity > 0 && options_.read_chunk > 0);
}

MemoryStream::~MemoryStream() { end(); }

void MemoryStream::end() {
  if (std::exchange(ended_, true)) return;
  out_->ended = true;
  in_->deaf = true;
  out_->wake_both();
  in_->wake_both();
}

Task<std::size_t> MemoryStream::read(std::span<char> into) {
  assert(!into.empty());
  std::shared_ptr<Lane> lane = in_;
  co_await check_cancelled();
  while (lane->pending() == 0) {
    if (lane->cut) throw_lost("the connection was lost");
    if (ended_) throw_lost("the connection was closed on this side");
    if (lane->ended) co_return 0;
    co_await lane->readable.wait([&waiter = lane->readable] { waiter.set_cancelled(); });
  }
  std::size_t count = std::min({into.size(), lane->pending(), options_.read_chunk});
  std::copy_n(lane->bytes.data() + lane->taken, count, into.data());
  lane->taken += count;
  if (lane->pending() == 0) {
    lane->bytes.clear();
    lane->taken = 0;
  }
  Lane::wake(lane->writable);
  co_return count;
}

Task<void> MemoryStream::write(std::vector<std::string_view> pieces) {
  std::shared_ptr<Lane> lane = out_;
  std::shared_ptr<Lane> back = in_;
  co_await check_cancelled();
  for (std::string_view piece : pieces) {
    while (!piece.empty()) {
      if (lane->cut) throw_lost("the connection was lost");
      if (ended_) throw_lost("the connection was closed on this side");
      if (lane->deaf) throw_lost("the connection was closed by the peer");
      std::size_t room = options_.capacity - std::min(options_.capacity, lane->pending());
      if (room == 0) {
        co_await lane->writable.wait([&waiter = lane->writable] { waiter.set_cancelled(); });
        continue;
      }
      std::size_t count = std::min(room, piece.size());
      if (lane->cut_after) count = std::min(count, *lane->cut_after);
      lane->bytes.erase(0, std::exchange(lane->taken, 0));
      lane->bytes.append(piece.substr(0, count));
      piece.remove_prefix(count);
      if (lane->cut_after && (*lane->cut_after -= count) == 0) {
        // What was written before the break still arrives.
        lane->cut = true;
        back->break_line();
      }
      Lane::wake(lane->readable);
    }
  }
}

Task<void> MemoryStream::start_tls(TlsOptions options, std::size_t unread_bytes) {
  co_await check_cancelled();
  if (unread_bytes + in_->pending() > 0) {
    throw Error(ErrorKind::tls, "the server sent bytes in the clear before the TLS handshake");
  }
  if (in_->cut) throw_lost("the connection was lost");
  tls_options_ = std::move(options);
  encrypted_ = true;
}

std::string MemoryStream::channel_binding(std::string_view) const {
  return encrypted_ ? options_.channel_binding : std::string();
}

Task<void> MemoryStream::close() {
  end();
  co_return;
}

void MemoryStream::cut() {
  in_->break_line();
  out_->break_line();
}

void MemoryStream::cut_after_writing(std::size_t bytes) {
  if (bytes == 0) {
    cut();
  } else {
    out_->cut_after = bytes;
  }
}

std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>> make_pipe(
    PipeOptions options) {
  auto there = std::make_shared<MemoryStream::Lane>();
  auto back = std::make_shared<MemoryStream::Lane>();
  return {std::unique_ptr<MemoryStream>(new MemoryStream(back, there, options)),
          std::unique_ptr<MemoryStream>(new MemoryStream(there, back, options))};
}

Task<std::unique_ptr<Stream>> ScriptedNetwork::connect(ConnectOptions options) {
  asked_.push_back(options);
  std::string host = options.host;
  std::unique_ptr<Stream> stream = co_await accept_(std::move(options));
  if (!stream) throw Error(ErrorKind::unreachable, "nobody answers", std::move(host));
  co_return stream;
}

Task<std::string> read_exactly(Stream& stream, std::size_t count) {
  std::string out(count, '\0');
  std::size_t got = 0;
  while (got < count) {
    std::size_t n = co_await stream.read(std::span(out).subspan(got));
    if (n == 0) break;
    got += n;
  }
  out.resize(got);
  co_return out;
}

Task<std::string> read_line(Stream& stream) {
  std::string line;
  while (true) {
    char c = 0;
    std::size_t n = co_await stream.read(std::span(&c, 1));
    if (n == 0) throw_lost("the stream ended inside a line");
    if (c == '\n') break;
    line += c;
  }
  if (line.ends_with('\r')) line.pop_back();
  co_return line;
}

Task<void> write_text(Stream& stream, std::string text) {
  std::vector<std::string_view> pieces;
  pieces.emplace_back(text);
  co_await stream.write(std::move(pieces));
}

}  // namespace postferry::net
