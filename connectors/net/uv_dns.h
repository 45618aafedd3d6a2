// From a name to addresses, and from addresses to one connection (RFC 8305).
// Must not know TLS or what the connection is for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "connectors/net/address.h"
#include "connectors/net/uv_executor.h"
#include "connectors/net/uv_tcp.h"
#include "engine/async/task.h"

namespace postferry::net {

/// The seam for name look-ups.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// The host's addresses, best first, never none. Throws Error{unreachable}. A cancel ends the
  /// call at once.
  virtual Task<std::vector<Address>> resolve(std::string host, std::uint16_t port) = 0;
};

/// The system's getaddrinfo, on a thread of libuv. Literals are not looked up.
class UvResolver final : public Resolver {
 public:
  explicit UvResolver(UvExecutor& executor) : executor_(executor) {}
  Task<std::vector<Address>> resolve(std::string host, std::uint16_t port) override;

 private:
  UvExecutor& executor_;
};

constexpr std::chrono::milliseconds kConnectionAttemptDelay{250};  // RFC 8305 §8

/// Tries the addresses in turn, families interleaved, the next one `stagger` after the last or as
/// soon as one fails; the first that connects wins and the others are dropped. Throws
/// Error{unreachable} that names every address and why it failed, also when `limit` has passed.
Task<std::unique_ptr<UvTcp>> connect_any(UvExecutor& executor, std::vector<Address> addresses,
                                         std::chrono::milliseconds stagger,
                                         std::chrono::milliseconds limit);

}  // namespace postferry::net
