// One connection to a server, as bytes; and the way to get one. The seam where the simulator, the
// transcript and the real network meet. Must not know what the bytes mean.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/async/task.h"

namespace postferry::net {

/// How to trust a server. A pin without a ca file replaces the look at chain, name and dates; with
/// a ca file both must hold. Without verify only the pin is looked at, if there is one.
struct TlsOptions {
  /// For SNI and the certificate's name. Network::connect takes its own host when this is empty;
  /// start_tls refuses without it.
  std::string host;
  std::optional<std::string> ca_file;     // PEM, trusted instead of the system's
  std::optional<std::string> pin_sha256;  // 32 bytes: SHA-256 of the certificate's public key info
  bool verify = true;                     // false only when the user spelled it out
};

/// One reader and one writer at a time; the two may overlap. After an Error, and after a cancelled
/// call, only close() and destruction are allowed; destruction only when no call is under way.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Waits for bytes and puts up to into.size() of them there. 0: the peer ended the stream
  /// cleanly (under TLS: with close_notify; without it Error{transient}, so that a cut reply is
  /// never taken for a whole one). Throws Error{transient} on a lost line or after the time limit.
  virtual Task<std::size_t> read(std::span<char> into) = 0;
  /// Writes all pieces, in order, as if joined. They must live until the task ends. Returns when
  /// the system has taken the bytes, not when the peer has.
  virtual Task<void> write(std::vector<std::string_view> pieces) = 0;
  /// Turns a clear stream into TLS (STARTTLS, STLS). The caller says how many received bytes it
  /// holds that it has not understood yet: with any, and with any that wait in the socket before
  /// our ClientHello, the call throws Error{tls} (RFC 9051 §11.1). Errors: Error{tls}, whole
  /// reason; Error{transient} when the line is lost meanwhile; Error{usage} for a bad ca file.
  virtual Task<void> start_tls(TlsOptions options, std::size_t unread_bytes) = 0;
  virtual bool encrypted() const = 0;
  /// Channel binding data for SCRAM-PLUS: "tls-exporter" or "tls-server-end-point"; empty when
  /// there is none.
  virtual std::string channel_binding(std::string_view type) const = 0;
  /// Ends the connection: after a failed or cancelled call at once and without a word, else
  /// politely (close_notify, then hearing the peer out) within a second. Another task's call that
  /// still waits ends with Error{transient}. Never throws but Cancelled.
  virtual Task<void> close() = 0;
  /// What follows in either direction, until mark_secret(false), is secret: a transcript shows
  /// <secret> instead.
  virtual void mark_secret(bool secret) { (void)secret; }
};

struct ConnectOptions {
  std::string host;  // or the absolute path of a Unix socket, which has no port
  std::uint16_t port = 0;
  std::optional<TlsOptions> tls;  // implicit TLS; absent: in the clear, perhaps start_tls later
  std::chrono::milliseconds connect_limit{30'000};  // look-up and connecting; again for TLS
  /// For each write to make progress, and for each read since the last byte was written.
  std::chrono::milliseconds io_limit{120'000};
};

class Network {
 public:
  virtual ~Network() = default;
  /// Looks the name up and connects, IPv6 and IPv4 attempts staggered by 250 ms (RFC 8305).
  /// Throws Error{unreachable} that names every address tried (also when the server hangs up inside
  /// the handshake), or Error{tls} from the handshake, or Error{usage} for a bad ca file.
  virtual Task<std::unique_ptr<Stream>> connect(ConnectOptions options) = 0;
};

}  // namespace postferry::net
