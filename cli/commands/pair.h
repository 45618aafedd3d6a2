// What the commands on a pair of mailboxes share: its journal, its identity, its signals.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "connectors/net/uv_executor.h"
#include "engine/crossing.h"
#include "engine/journal.h"
#include "engine/observer.h"

namespace postferry::cli {

/// Where the pair's journal is, or would be. Throws Error{usage} without a home directory.
std::string journal_path(const PairOptions& options);

/// Under which the journal knows the pair.
AccountIdentity identity_of(const PairOptions& options);

CrossingOptions crossing_options(const PairOptions& options);

/// The pair's journal for reading, also while a run writes it. Throws Error{usage} when there is
/// none yet.
std::unique_ptr<Journal> open_pair_journal(const std::string& path);

/// What could not be copied, in the folders that the options choose.
Task<std::vector<FailedMessage>> failed_messages(Journal& journal, PairOptions options);

/// While it lives, the first SIGINT or SIGTERM asks for the end, and the second is the end.
class SignalWatch {
 public:
  /// All must outlive it.
  SignalWatch(net::UvExecutor& executor, const PairOptions& options, Terminal& terminal,
              Observer& log, StopRequest& stop);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  net::UvExecutor& executor_;
};

}  // namespace postferry::cli
