// A message's bytes on their way: held, spooled to a deleted file, or streamed once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "engine/async/channel.h"
#include "engine/async/task.h"
#include "engine/digest.h"

namespace postferry {

/// Bodies up to this size are held in memory and may be replayed; larger ones are spooled (length
/// unknown before the end) or streamed (length known from the literal's header).
constexpr std::size_t kHoldLimit = 1 << 20;

/// A bounded pipe from a source that is reading a long literal to a target that is writing one.
/// The source pushes exactly `size_bytes` bytes, then closes; closing early means the source died.
class BodyPipe {
 public:
  explicit BodyPipe(std::uint64_t size_bytes) : size_bytes_(size_bytes), chunks_(4) {}
  std::uint64_t size_bytes() const { return size_bytes_; }
  /// False when the reader has gone: stop pushing.
  Task<bool> push(std::string chunk) {
    digest_.update(chunk);
    return chunks_.push(std::move(chunk));
  }
  /// The next chunk; nullopt at the end, or when the source died.
  Task<std::optional<std::string>> pop() { return chunks_.pop(); }
  void close() { chunks_.close(); }
  /// Of everything that went through; once, after the last chunk.
  Sha256 digest() { return digest_.finish(); }

 private:
  Digest digest_;
  std::uint64_t size_bytes_;
  Channel<std::string> chunks_;
};

/// A deleted temporary file with a body in it; see engine/spool.h for the maker.
class SpooledBody {
 public:
  virtual ~SpooledBody() = default;
  virtual std::uint64_t size_bytes() const = 0;
  /// Reads up to `limit` bytes at `offset`; empty only at the end. Throws Error{local}.
  virtual Task<std::string> read(std::uint64_t offset, std::size_t limit) = 0;
};

/// Copying a Body shares the bytes.
class Body {
 public:
  Body() : data_(std::make_shared<const std::string>()) {}
  explicit Body(std::string bytes) : data_(std::make_shared<const std::string>(std::move(bytes))) {}
  explicit Body(std::shared_ptr<BodyPipe> pipe) : data_(std::move(pipe)) {}
  explicit Body(std::shared_ptr<SpooledBody> spool) : data_(std::move(spool)) {}

  /// Exact, always.
  std::uint64_t size_bytes() const;
  bool held() const { return data_.index() == 0; }
  bool streamed() const { return data_.index() == 1; }
  /// May be read more than once.
  bool replayable() const { return !streamed(); }
  /// The bytes of a held body.
  std::string_view bytes() const { return *std::get<0>(data_); }
  BodyPipe& pipe() const { return *std::get<1>(data_); }

  /// Hands every byte, in order, to `write`, a callable `Task<void>(std::string_view)`; the view
  /// lives until the task ends. Throws Error{transient} when a streamed body ends early.
  template <class Write>
  Task<void> write_to(Write write) const;

 private:
  std::variant<std::shared_ptr<const std::string>, std::shared_ptr<BodyPipe>,
               std::shared_ptr<SpooledBody>>
      data_;
};

[[noreturn]] void throw_body_cut_short(std::uint64_t got, std::uint64_t expected);

template <class Write>
Task<void> Body::write_to(Write write) const {
  constexpr std::size_t kChunk = 128 << 10;
  Body self = *this;  // the caller's Body may go while we wait
  if (self.held()) {
    co_await write(self.bytes());
    co_return;
  }
  std::uint64_t sent = 0;
  while (sent < self.size_bytes()) {
    std::string chunk;
    if (self.streamed()) {
      std::optional<std::string> next = co_await self.pipe().pop();
      if (!next) throw_body_cut_short(sent, self.size_bytes());
      chunk = std::move(*next);
    } else {
      chunk = co_await std::get<2>(self.data_)->read(sent, kChunk);
      if (chunk.empty()) throw_body_cut_short(sent, self.size_bytes());
    }
    sent += chunk.size();
    co_await write(std::string_view(chunk));
  }
}

}  // namespace postferry
