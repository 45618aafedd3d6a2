// What went over the wire, above TLS, as text for people: a decorator around any network.
// Must not know libuv, nor where the text goes. Of protocols it knows lines, and IMAP's literals.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "connectors/net/stream.h"

namespace postferry::net {

/// Takes one line without its end. Called on the loop, in order; must not throw.
using TranscriptSink = std::function<void(std::string_view line)>;

/// One direction of one connection, from bytes to lines such as "[3] C: A1 NOOP". Lines above 1000
/// bytes and literals above 200 are cut; of more than 64 KiB in one direction without an answer the
/// rest is only counted.
class TranscriptLane {
 public:
  /// `prefix` begins every line; `sink` outlives the lane.
  TranscriptLane(std::string prefix, const TranscriptSink& sink)
      : prefix_(std::move(prefix)), sink_(sink) {}

  /// Secret bytes leave no trace but the word <secret>, not even their number.
  void add(std::string_view bytes, bool secret);
  /// The other direction speaks: the count of this one's bytes begins anew.
  void turn();
  /// Shows a line that has not ended.
  void flush();

 private:
  void add_secret(std::string_view bytes);
  std::string_view take_literal(std::string_view bytes);
  void keep(std::string_view bytes, std::size_t limit);
  void end_line();

  std::string prefix_;
  const TranscriptSink& sink_;
  std::string line_;                // what is shown of the line so far
  std::uint64_t line_bytes_ = 0;    // its whole length
  std::uint64_t literal_left_ = 0;  // of a long literal
  std::uint64_t spoken_ = 0;        // since the last turn
  std::uint64_t unshown_ = 0;       // of spoken_
};

/// `inner` and the network itself outlive the streams. Connections are numbered from 1.
class TranscriptNetwork final : public Network {
 public:
  TranscriptNetwork(Network& inner, TranscriptSink sink) : inner_(inner), sink_(std::move(sink)) {}
  Task<std::unique_ptr<Stream>> connect(ConnectOptions options) override;

 private:
  Network& inner_;
  TranscriptSink sink_;
  std::uint64_t connections_ = 0;
};

}  // namespace postferry::net
