// Streams without sockets, for tests of what speaks over them: a pair joined back to back, and a
// network that hands out whatever the test says. Runs on any executor; must not know libuv.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/net/stream.h"
#include "engine/async/completion.h"

namespace postferry::net {

struct PipeOptions {
  std::size_t capacity = 64 << 10;  // bytes on their way in each direction, before a write waits
  /// A read returns at most this much: 1 splits everything at every byte.
  std::size_t read_chunk = std::numeric_limits<std::size_t>::max();
  bool encrypted = false;            // both ends say so from the start
  std::string channel_binding = {};  // what both ends answer for any type, once encrypted
};

/// One end of a pipe. As Stream, and: destroying an end, or close(), lets the peer read what is on
/// its way and then 0; the peer's writes throw Error{transient}. start_tls() only sets encrypted(),
/// on this end; it throws Error{tls} as promised when received bytes wait.
class MemoryStream final : public Stream {
 public:
  ~MemoryStream() override;
  Task<std::size_t> read(std::span<char> into) override;
  Task<void> write(std::vector<std::string_view> pieces) override;
  Task<void> start_tls(TlsOptions options, std::size_t unread_bytes) override;
  bool encrypted() const override { return encrypted_; }
  std::string channel_binding(std::string_view type) const override;
  Task<void> close() override;

  /// The line breaks: what is on its way in either direction is lost, and every read and write of
  /// both ends, waiting or to come, throws Error{transient}.
  void cut();
  /// The line will break so when this end has written `bytes` more.
  void cut_after_writing(std::size_t bytes);
  /// What start_tls() was last called with, for tests.
  const TlsOptions& tls_options() const { return tls_options_; }

 private:
  friend std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>> make_pipe(
      PipeOptions options);
  struct Lane;  // one direction

  MemoryStream(std::shared_ptr<Lane> in, std::shared_ptr<Lane> out, const PipeOptions& options);
  void end();

  std::shared_ptr<Lane> in_;
  std::shared_ptr<Lane> out_;
  PipeOptions options_;
  TlsOptions tls_options_;
  bool encrypted_;
  bool ended_ = false;
};

/// Each end reads what the other writes.
std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>> make_pipe(
    PipeOptions options = {});

/// Every connect() asks the test for a stream.
class ScriptedNetwork final : public Network {
 public:
  /// May throw (Error{unreachable}) or wait. A null stream is taken for unreachable.
  using Accept = std::function<Task<std::unique_ptr<Stream>>(ConnectOptions)>;
  explicit ScriptedNetwork(Accept accept) : accept_(std::move(accept)) {}

  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override;
  /// What was asked for so far.
  const std::vector<ConnectOptions>& asked() const { return asked_; }

 private:
  Accept accept_;
  std::vector<ConnectOptions> asked_;
};

/// Reads until `count` bytes are there; fewer only when the peer ended the stream.
Task<std::string> read_exactly(Stream& stream, std::size_t count);
/// Reads through the next LF and gives the line without its CRLF, a byte at a time: for servers of
/// tests. Throws Error{transient} when the stream ends first.
Task<std::string> read_line(Stream& stream);
/// As Stream::write, and keeps the text.
Task<void> write_text(Stream& stream, std::string text);

}  // namespace postferry::net
