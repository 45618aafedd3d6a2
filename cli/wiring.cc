#include "cli/wiring.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/credentials.h"
#include "cli/output.h"
#include "cli/signals_held_back.h"
#include "cli/transcript_file.h"
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

}  // namespace

Wiring::Wiring(const PairOptions& options, Observer& log, WiredEnds ends)
    : blocking_(make_threads()),
      network_(std::make_unique<net::UvNetwork>(executor_)),
      spool_(make_disk_spool(*blocking_, spool_directory())),
      exchangers_(std::make_unique<net::AresMailExchangers>(*blocking_)) {
  check_files_of(options.source);
  const bool both = ends == WiredEnds::both;
  if (both) check_files_of(options.target);
  const auto warn = [&log](const std::string& text) { log.note(Level::warning, text); };
  const CredentialDoors doors = system_doors(warn);
  source_credentials_ =
      make_credentials("source", options.source_password, options.source, *blocking_, doors);
  if (both)
    target_credentials_ =
        make_credentials("target", options.target_password, options.target, *blocking_, doors);
  net::Network* network = network_.get();
  if (options.transcript) {
    transcript_file_ = std::make_unique<TranscriptFile>(*options.transcript, executor_, log);
    transcript_ = std::make_unique<net::TranscriptNetwork>(
        *network_, [file = transcript_file_.get()](std::string_view line) { file->line(line); });
    network = transcript_.get();
  }
  const ConnectorContext context{network,   spool_.get(),      blocking_.get(),
                                 version(), exchangers_.get(), host_name()};
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

Wiring::~Wiring() = default;

}  // namespace postferry::cli
