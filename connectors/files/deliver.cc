#include "connectors/files/deliver.h"

#include <utility>

#include "connectors/header_fields.h"
#include "engine/error.h"

namespace postferry::files {
namespace {

constexpr std::size_t kGroupMessages = 64;
constexpr std::size_t kPiece = 128 << 10;
constexpr std::size_t kUsualHeader = 16 << 10;

struct Loaded {
  MessageKey key;
  std::optional<OpenMessage> open;  // its reader is kept where the message is large
  std::string bytes;                // of one that is held
  std::uint64_t large_bytes = 0;
  std::optional<std::string> unreadable;  // why
};

std::vector<Loaded> load(const std::vector<MessageKey>& keys, std::size_t from,
                         const OpenByKey& open) {
  std::vector<Loaded> out;
  std::uint64_t bytes = 0;
  for (std::size_t i = from; i < keys.size() && out.size() < kGroupMessages && bytes < kHoldLimit;
       ++i) {
    Loaded& one = out.emplace_back();
    one.key = keys[i];
    try {
      one.open = open(one.key);
      if (!one.open) continue;
      MessageReader& reader = *one.open->reader;
      const std::uint64_t size = reader.size_bytes();
      if (size > kHoldLimit) {
        one.large_bytes = size;
        break;
      }
      for (std::string piece = reader.next(kPiece); !piece.empty(); piece = reader.next(kPiece)) {
        if (one.bytes.empty()) one.bytes.reserve(size);
        one.bytes += piece;
      }
      one.open->reader.reset();
      bytes += one.bytes.size();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::transient) throw;  // about the folder, not this message
      one.unreadable = error.what();
    }
  }
  return out;
}

Task<void> stream(Blocking& blocking, Loaded& loaded, Message message, MessageSink& sink,
                  const std::string& place) {
  const auto pipe = std::make_shared<BodyPipe>(loaded.large_bytes);
  message.body = Body(pipe);
  // However this ends, the reader must not wait for more.
  const struct Closer {
    BodyPipe& pipe;
    ~Closer() { pipe.close(); }
  } closer{*pipe};
  co_await sink.message(std::move(message));
  MessageReader& reader = *loaded.open->reader;
  std::uint64_t sent = 0;
  while (true) {
    std::string piece = co_await blocking.run([&reader] { return reader.next(kPiece); });
    if (piece.empty()) break;
    sent += piece.size();
    if (sent > loaded.large_bytes) break;
    const bool wanted = co_await pipe->push(std::move(piece));
    if (!wanted) co_return;
  }
  if (sent != loaded.large_bytes) {
    throw Error(ErrorKind::transient, "the file changed while it was read", printable(place));
  }
}

Task<void> hand_over(Blocking& blocking, Loaded& loaded, MessageSink& sink,
                     const std::string& place) {
  if (!loaded.open || loaded.unreadable) {
    const bool gone = !loaded.unreadable;
    co_await sink.missing(loaded.key, gone, loaded.unreadable.value_or(""));
    co_return;
  }
  Message message{loaded.key, std::move(loaded.open->flags), loaded.open->date, {}};
  if (loaded.open->reader) {
    co_await stream(blocking, loaded, std::move(message), sink, place);
    co_return;
  }
  message.body = Body(std::move(loaded.bytes));
  co_await sink.message(std::move(message));
}

}  // namespace

Task<void> deliver(Blocking& blocking, std::vector<MessageKey> keys, OpenByKey open,
                   MessageSink& sink, std::string place) {
  std::vector<Loaded> unreadable;  // come last
  for (std::size_t at = 0; at < keys.size();) {
    std::vector<Loaded> group =
        co_await blocking.run([&keys, at, &open] { return load(keys, at, open); });
    at += group.size();
    for (Loaded& loaded : group) {
      if (loaded.unreadable) {
        unreadable.push_back(std::move(loaded));
      } else {
        co_await hand_over(blocking, loaded, sink, place);
      }
    }
  }
  for (Loaded& loaded : unreadable) co_await hand_over(blocking, loaded, sink, place);
}

std::vector<HeaderEntry> read_headers(const std::vector<MessageKey>& keys, const OpenByKey& open) {
  std::vector<HeaderEntry> out;
  for (const MessageKey& key : keys) {
    const std::optional<OpenMessage> message = open(key);
    if (!message) continue;
    std::string bytes = message->reader->next(kUsualHeader);
    mail::HeaderScan scan = mail::scan_header(bytes);
    while (!scan.complete && bytes.size() < mail::kMaxHeaderBytes) {
      const std::string more = message->reader->next(bytes.size());
      if (more.empty()) break;
      bytes += more;
      scan = mail::scan_header(bytes);
    }
    out.push_back({key, header_fields(scan)});
  }
  return out;
}

}  // namespace postferry::files
