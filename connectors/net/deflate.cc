#include "connectors/net/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"

namespace postferry::net {
namespace {

constexpr std::size_t kBufferBytes = 32 << 10;
constexpr int kRaw = -15;  // a window of 32 KiB, neither header nor checksum
constexpr int kMemLevel = 8;

Bytef* bytes_of(const char* text) {
  // zlib does not write to its input; its interface is older than const.
  return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

uInt room(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

void require(int status) {
  if (status == Z_MEM_ERROR) throw std::bad_alloc();
  if (status != Z_OK) throw std::logic_error("zlib was asked for something it does not do");
}

}  // namespace

struct DeflateStream::Zlib {
  explicit Zlib(std::string_view unread)
      : from_peer(unread.begin(), unread.end()), to_peer(kBufferBytes) {
    require(inflateInit2(&in, kRaw));
    const int status =
        deflateInit2(&out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRaw, kMemLevel, Z_DEFAULT_STRATEGY);
    if (status != Z_OK) inflateEnd(&in);
    require(status);
    in.next_in = bytes_of(from_peer.data());
    in.avail_in = room(from_peer.size());
  }
  Zlib(const Zlib&) = delete;
  Zlib& operator=(const Zlib&) = delete;
  ~Zlib() {
    inflateEnd(&in);
    deflateEnd(&out);
  }

  z_stream in{}, out{};
  std::vector<char> from_peer;  // what `in` has not taken points here
  std::vector<char> to_peer;
  bool ended = false;  // the peer ended its stream of blocks
};

DeflateStream::DeflateStream(std::unique_ptr<Stream> inner, std::string_view unread)
    : inner_(std::move(inner)), zlib_(std::make_unique<Zlib>(unread)) {}

DeflateStream::~DeflateStream() = default;

Task<std::size_t> DeflateStream::read(std::span<char> into) {
  z_stream& in = zlib_->in;
  while (!zlib_->ended && !into.empty()) {
    in.next_out = bytes_of(into.data());
    in.avail_out = room(into.size());
    const std::size_t before = in.avail_out;
    const int status = ::inflate(&in, Z_SYNC_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) {
      throw Error(ErrorKind::protocol, std::string("what the server sends is not deflated") +
                                           (in.msg ? ": " + std::string(in.msg) : std::string()));
    }
    zlib_->ended = status == Z_STREAM_END;
    if (in.avail_out < before) co_return before - in.avail_out;
    if (zlib_->ended) break;
    zlib_->from_peer.resize(kBufferBytes);
    const std::size_t count = co_await inner_->read(std::span<char>(zlib_->from_peer));
    if (count == 0) break;
    in.next_in = bytes_of(zlib_->from_peer.data());
    in.avail_in = room(count);
  }
  co_return 0;
}

Task<void> DeflateStream::write(std::vector<std::string_view> pieces) {
  std::erase_if(pieces, [](std::string_view piece) { return piece.empty(); });
  z_stream& out = zlib_->out;
  std::vector<char>& buffer = zlib_->to_peer;
  const auto begin_anew = [&] {
    out.next_out = bytes_of(buffer.data());
    out.avail_out = room(buffer.size());
  };
  const auto send = [&]() -> Task<void> {
    std::vector<std::string_view> full(1, {buffer.data(), buffer.size() - out.avail_out});
    begin_anew();
    return inner_->write(std::move(full));
  };
  begin_anew();
  for (std::size_t i = 0; i < pieces.size();) {
    const uInt taken = room(pieces[i].size());
    out.next_in = bytes_of(pieces[i].data());
    out.avail_in = taken;
    pieces[i].remove_prefix(taken);
    if (pieces[i].empty()) ++i;
    const int flush = i == pieces.size() ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    for (;;) {
      const int status = ::deflate(&out, flush);
      if (status != Z_BUF_ERROR) require(status);  // which only says that there was nothing to do
      if (out.avail_out > 0) break;
      co_await send();
    }
  }
  if (out.avail_out < buffer.size()) co_await send();
}

Task<void> DeflateStream::start_tls(TlsOptions, std::size_t) {
  throw std::logic_error("TLS comes before compression");
}

}  // namespace postferry::net
