#include "cli/wiring.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/credentials.h"
#include "cli/output.h"
#include "cli/preset_ends.h"
#include "cli/signals_held_back.h"
#include "cli/transcript_file.h"
#include "connectors/net/limited.h"
#include "connectors/net/metered.h"
#include "connectors/net/paced.h"
#include "connectors/net/transcript.h"
#include "connectors/net/uv_network.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kThreads = 4;  // password commands and spooled bodies may wait side by side

std::string spool_directory() {
  const auto wanted = environment("TMPDIR");
  return wanted && !wanted->empty() ? *wanted : "/var/tmp";
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : std::string();
}

std::unique_ptr<ThreadBlocking> make_threads() {
  const SignalsHeldBack held_back;
  return std::make_unique<ThreadBlocking>(kThreads);
}

/// A file named in a URL that cannot be read is wrong usage, before anything is sent.
void check_files_of(const Endpoint& end) {
  if (!end.ca_file || ::access(end.ca_file->c_str(), R_OK) == 0) return;
  throw Error(ErrorKind::usage, fmt::format("ca={} of {}: {}", printable(*end.ca_file),
                                            printable(end.to_string()), std::strerror(errno)));
}

net::PaceOptions pace_of(const PairOptions& options) {
  net::PaceOptions pace;
  pace.bytes_per_second = options.limit_rate;
  pace.host_bytes_per_second = options.limit_host_rate;
  if (options.limit_logins) pace.connections_per_second = *options.limit_logins / 60.0;
  return pace;
}

/// What is deflated nobody could read.
Endpoint readable(Endpoint end, const PairOptions& options) {
  if (options.transcript) end.compress = Compress::off;
  return end;
}

/// Many accounts would ask one after the other, long after anybody looks.
Secret nobody_to_ask(const std::string&) {
  throw Error(ErrorKind::usage, "in a job nobody is asked");
}

/// Nobody has said how many sessions there may be.
bool may_limit(const PairOptions& options, const Endpoint& end) {
  return !options.sessions && end.sessions == 0;
}

/// Gives a limit that nobody has set what the provider's preset says.
LearnPreset learner(DayLimit* limit, const Endpoint& end, std::optional<std::uint64_t> given,
                    bool source) {
  if (!limit || given) return nullptr;
  return [limit, protocol = end.protocol, source](const Preset& preset) {
    limit->set(preset.daily(protocol, source));
  };
}

}  // namespace

Machine::Machine(const PairOptions& options, Observer& log)
    : blocking_(make_threads()),
      network_(std::make_unique<net::UvNetwork>(executor_)),
      paces_(pace_of(options)),
      spool_(make_disk_spool(*blocking_, spool_directory())),
      exchangers_(std::make_unique<net::AresMailExchangers>(*blocking_)) {
  if (options.limit_sessions) berths_.emplace(static_cast<std::size_t>(*options.limit_sessions));
  if (!options.transcript) return;
  transcript_file_ = std::make_unique<TranscriptFile>(*options.transcript, executor_, log);
  transcript_ = std::make_unique<net::TranscriptNetwork>(
      *network_, [file = transcript_file_.get()](std::string_view line) { file->line(line); });
}

Machine::~Machine() = default;

Blocking& Machine::blocking() { return *blocking_; }

ConnectorContext Machine::connectors() {
  return {transcript_ ? transcript_.get() : network_.get(),
          spool_.get(),
          blocking_.get(),
          version(),
          exchangers_.get(),
          host_name()};
}

DayLimit& Machine::day_limit(const Endpoint& end, const char* name, Direction direction) {
  Endpoint login = end;
  login.recipient.clear();  // which a relay's identity has, too
  const std::string described = fmt::format("{} {}", name, end.to_string());
  return day_limits_
      .try_emplace({login.identity(), direction}, login.identity(), described, direction)
      .first->second;
}

std::vector<std::string> hosts_of(const PairOptions& options) {
  std::vector<std::string> hosts;
  for (const Endpoint* end : {&options.source, &options.target})
    if (!end->in_files() && !end->host.empty()) hosts.push_back(end->host);
  return hosts;
}

WiredAccount::WiredAccount(Machine& machine, const PairOptions& options, Observer& log,
                           WiredEnds ends, std::optional<Berth> own) {
  check_files_of(options.source);
  const bool both = ends == WiredEnds::both;
  if (both) check_files_of(options.target);
  CredentialDoors doors =
      system_doors([&log](const std::string& text) { log.note(Level::warning, text); });
  if (!options.account.empty()) doors.prompt = nobody_to_ask;
  Blocking& blocking = machine.blocking();
  source_credentials_ =
      make_credentials("source", options.source_password, options.source, blocking, doors);
  if (both)
    target_credentials_ =
        make_credentials("target", options.target_password, options.target, blocking, doors);
  if (own)
    limited_ = std::make_unique<net::LimitedNetwork>(*machine.connectors().network,
                                                     *machine.berths(), *std::move(own));
  const bool carries = options.carries() && !options.dry_run;
  const int sessions = options.sessions.value_or(kSessionsAfar);
  DayLimit* const down =
      carries ? day_limit(machine, options.source, Direction::down, options.source_daily) : nullptr;
  source_ = make_source(context(machine, down, Direction::down),
                        {readable(options.source, options), source_credentials_.get(),
                         options.timeout, sessions, !options.changes_mailboxes()});
  source_ = learn_preset(std::move(source_), may_limit(options, options.source),
                         learner(down, options.source, options.source_daily, true));
  if (!both) return;
  DayLimit* const up =
      carries ? day_limit(machine, options.target, Direction::up, options.target_daily) : nullptr;
  const ConnectorContext to = context(machine, up, Direction::up);
  EndSetup target{readable(options.target, options), target_credentials_.get(), options.timeout,
                  sessions, !options.changes_mailboxes()};
  if (options.target.relays()) {
    relay_ = make_relay(to, std::move(target));
  } else {
    target_ = learn_preset(make_target(to, std::move(target)), may_limit(options, options.target),
                           learner(up, options.target, options.target_daily, false));
  }
}

WiredAccount::~WiredAccount() = default;

DayLimit* WiredAccount::day_limit(Machine& machine, const Endpoint& end, Direction direction,
                                  std::optional<std::uint64_t> most_bytes) {
  if (end.in_files()) return nullptr;
  const char* const name = direction == Direction::down ? "source" : "target";
  DayLimit& limit = machine.day_limit(end, name, direction);
  if (most_bytes) limit.set(*most_bytes);
  return day_limits_.emplace_back(&limit);
}

ConnectorContext WiredAccount::context(Machine& machine, DayLimit* limit, Direction direction) {
  ConnectorContext context = machine.connectors();
  if (limited_) context.network = limited_.get();
  const auto around = [&](std::unique_ptr<net::Network> network) {
    context.network = networks_.emplace_back(std::move(network)).get();
  };
  around(std::make_unique<net::PacedNetwork>(*context.network, machine.paces()));
  if (!limit) return context;
  net::Meters meters;
  (direction == Direction::down ? meters.down : meters.up) = [limit](std::uint64_t bytes) {
    limit->count(bytes);
  };
  around(std::make_unique<net::MeteredNetwork>(*context.network, std::move(meters)));
  return context;
}

}  // namespace postferry::cli
