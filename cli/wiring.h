// Puts the real parts together: loop, threads, network, credentials, connectors.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "connectors/net/paced.h"
#include "connectors/net/stream.h"
#include "connectors/net/uv_executor.h"
#include "connectors/registry.h"
#include "engine/async/thread_blocking.h"
#include "engine/berths.h"
#include "engine/crossing/day_limit.h"
#include "engine/observer.h"
#include "engine/source.h"
#include "engine/spool.h"
#include "engine/target.h"

namespace postferry::cli {

class TranscriptFile;

/// Which ends of a pair a command talks to.
enum class WiredEnds { both, source };

/// What all accounts of a process share. Nothing is opened but the transcript.
class Machine {
 public:
  /// `log` gets warnings, and must outlive it. Throws Error{local}.
  Machine(const PairOptions& options, Observer& log);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  net::UvExecutor& executor() { return executor_; }
  Blocking& blocking();
  SpoolFactory& spool() { return *spool_; }
  /// Its network keeps to no limit.
  ConnectorContext connectors();
  net::Paces& paces() { return paces_; }
  /// For sessions of all accounts; null: no limit.
  Berths* berths() { return berths_ ? &*berths_ : nullptr; }
  /// The login's, whoever logs in as it.
  DayLimit& day_limit(const Endpoint& end, const char* name, Direction direction);

 private:
  net::UvExecutor executor_;
  std::unique_ptr<ThreadBlocking> blocking_;
  std::unique_ptr<net::Network> network_;
  std::unique_ptr<TranscriptFile> transcript_file_;  // if one is wanted
  std::unique_ptr<net::Network> transcript_;         // around network_, then
  net::Paces paces_;
  std::optional<Berths> berths_;
  std::map<std::pair<std::string, Direction>, DayLimit> day_limits_;
  std::unique_ptr<SpoolFactory> spool_;
  std::unique_ptr<net::MailExchangers> exchangers_;
};

/// Where the account has sessions: its hosts, those named twice that are both ends'.
std::vector<std::string> hosts_of(const PairOptions& options);

/// The ends of one account, ready to connect; nothing has been sent yet.
class WiredAccount {
 public:
  /// May ask for passwords, but not for those of an account of a job. `machine` and `log`, which
  /// gets warnings, must outlive it. `own` is a berth at each of its hosts, where the machine has
  /// any. Throws Error{usage|local}.
  WiredAccount(Machine& machine, const PairOptions& options, Observer& log,
               WiredEnds ends = WiredEnds::both, std::optional<Berth> own = std::nullopt);
  ~WiredAccount();
  WiredAccount(const WiredAccount&) = delete;
  WiredAccount& operator=(const WiredAccount&) = delete;

  Source& source() { return *source_; }
  /// Only with both ends wired: one of the two, as the endpoint relays() or not.
  Target& target() { return *target_; }
  Relay& relay() { return *relay_; }
  /// By which the account's day ends.
  const std::vector<DayLimit*>& day_limits() const { return day_limits_; }

 private:
  DayLimit* day_limit(Machine& machine, const Endpoint& end, Direction direction,
                      std::optional<std::uint64_t> most_bytes);
  ConnectorContext context(Machine& machine, DayLimit* limit, Direction direction);

  std::vector<DayLimit*> day_limits_;
  std::unique_ptr<net::Network> limited_;
  std::vector<std::unique_ptr<net::Network>> networks_;  // around it, of each end
  std::unique_ptr<Credentials> source_credentials_, target_credentials_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<Relay> relay_;
};

/// A machine for one account alone.
class Wiring {
 public:
  Wiring(const PairOptions& options, Observer& log, WiredEnds ends = WiredEnds::both)
      : machine_(options, log), account_(machine_, options, log, ends) {}

  net::UvExecutor& executor() { return machine_.executor(); }
  Source& source() { return account_.source(); }
  Target& target() { return account_.target(); }
  Relay& relay() { return account_.relay(); }
  WiredAccount& account() { return account_; }
  SpoolFactory& spool() { return machine_.spool(); }

 private:
  Machine machine_;
  WiredAccount account_;
};

}  // namespace postferry::cli
