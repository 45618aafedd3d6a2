#include "cli/wiring.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/credentials.h"
#include "cli/output.h"
#include "cli/signals_held_back.h"
#include "cli/transcript_file.h"
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
  if (options.limit_logins) pace.connections_per_second = *options.limit_logins / 60.0;
  return pace;
}

/// Many accounts would ask one after the other, long after anybody looks.
Secret nobody_to_ask(const std::string&) {
  throw Error(ErrorKind::usage, "in a job nobody is asked");
}

}  // namespace

Machine::Machine(const PairOptions& options, Observer& log)
    : blocking_(make_threads()),
      network_(std::make_unique<net::UvNetwork>(executor_)),
      paced_(std::make_unique<net::PacedNetwork>(*network_, pace_of(options))),
      spool_(make_disk_spool(*blocking_, spool_directory())),
      exchangers_(std::make_unique<net::AresMailExchangers>(*blocking_)) {
  if (!options.transcript) return;
  transcript_file_ = std::make_unique<TranscriptFile>(*options.transcript, executor_, log);
  transcript_ = std::make_unique<net::TranscriptNetwork>(
      *paced_, [file = transcript_file_.get()](std::string_view line) { file->line(line); });
}

Machine::~Machine() = default;

Blocking& Machine::blocking() { return *blocking_; }

ConnectorContext Machine::connectors() {
  return {transcript_ ? transcript_.get() : paced_.get(),
          spool_.get(),
          blocking_.get(),
          version(),
          exchangers_.get(),
          host_name()};
}

WiredAccount::WiredAccount(Machine& machine, const PairOptions& options, Observer& log,
                           WiredEnds ends) {
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
  const ConnectorContext context = machine.connectors();
  const int sessions = options.sessions.value_or(kSessionsAfar);
  source_ =
      make_source(context, {options.source, source_credentials_.get(), options.timeout, sessions});
  if (!both) return;
  EndSetup target{options.target, target_credentials_.get(), options.timeout, sessions};
  if (options.target.relays()) {
    relay_ = make_relay(context, std::move(target));
  } else {
    target_ = make_target(context, std::move(target));
  }
}

WiredAccount::~WiredAccount() = default;

}  // namespace postferry::cli
