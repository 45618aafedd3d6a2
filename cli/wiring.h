// Puts the real parts together: loop, threads, network, credentials, connectors.
#pragma once

#include <memory>

#include "cli/options.h"
#include "connectors/net/stream.h"
#include "connectors/net/uv_executor.h"
#include "connectors/registry.h"
#include "engine/async/thread_blocking.h"
#include "engine/observer.h"
#include "engine/source.h"
#include "engine/spool.h"
#include "engine/target.h"

namespace postferry::cli {

class TranscriptFile;

/// Which ends of a pair a command talks to.
enum class WiredEnds { both, source };

/// The ends of a pair, ready to connect; nothing has been sent yet.
class Wiring {
 public:
  /// May ask for passwords. `log` gets warnings, and must outlive it. Throws Error{usage|local}.
  Wiring(const PairOptions& options, Observer& log, WiredEnds ends = WiredEnds::both);
  ~Wiring();
  Wiring(const Wiring&) = delete;
  Wiring& operator=(const Wiring&) = delete;

  net::UvExecutor& executor() { return executor_; }
  Source& source() { return *source_; }
  /// Only with both ends wired: one of the two, as the endpoint relays() or not.
  Target& target() { return *target_; }
  Relay& relay() { return *relay_; }
  SpoolFactory& spool() { return *spool_; }

 private:
  net::UvExecutor executor_;
  std::unique_ptr<ThreadBlocking> blocking_;
  std::unique_ptr<net::Network> network_;
  std::unique_ptr<TranscriptFile> transcript_file_;  // if one is wanted
  std::unique_ptr<net::Network> transcript_;         // around network_, then
  std::unique_ptr<SpoolFactory> spool_;
  std::unique_ptr<net::MailExchangers> exchangers_;
  std::unique_ptr<Credentials> source_credentials_, target_credentials_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<Relay> relay_;
};

}  // namespace postferry::cli
