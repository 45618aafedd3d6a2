#include "cli/wiring.h"

#include "cli/credentials.h"
#include "cli/output.h"
#include "cli/signals_held_back.h"
#include "connectors/net/uv_network.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kThreads = 4;  // password commands and spooled bodies may wait side by side

std::string spool_directory() {
  const auto wanted = environment("TMPDIR");
  return wanted && !wanted->empty() ? *wanted : "/var/tmp";
}

std::unique_ptr<ThreadBlocking> make_threads() {
  const SignalsHeldBack held_back;
  return std::make_unique<ThreadBlocking>(kThreads);
}

}  // namespace

Wiring::Wiring(const PairOptions& options, Observer& log)
    : blocking_(make_threads()),
      network_(std::make_unique<net::UvNetwork>(executor_)),
      spool_(make_disk_spool(*blocking_, spool_directory())) {
  const auto warn = [&log](const std::string& text) { log.note(Level::warning, text); };
  const CredentialDoors doors = system_doors(warn);
  source_credentials_ =
      make_credentials("source", options.source_password, options.source, *blocking_, doors);
  target_credentials_ =
      make_credentials("target", options.target_password, options.target, *blocking_, doors);
  const ConnectorContext context{network_.get(), spool_.get(), version()};
  source_ = make_source(
      context, {options.source, source_credentials_.get(), options.timeout, options.sessions});
  target_ = make_target(
      context, {options.target, target_credentials_.get(), options.timeout, options.sessions});
}

Wiring::~Wiring() = default;

}  // namespace postferry::cli
