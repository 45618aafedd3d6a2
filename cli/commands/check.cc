#include <csignal>

#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/mapping.h"

namespace postferry::cli {
namespace {

struct Sessions {
  std::unique_ptr<SourceSession> source;
  std::unique_ptr<TargetSession> target;
  std::vector<FolderInfo> source_folders, target_folders;
};

Task<void> look_at_source(Source& source, Sessions& sessions) {
  sessions.source = co_await source.connect();
  sessions.source_folders = co_await sessions.source->list();
}

Task<void> look_at_target(Target& target, Sessions& sessions) {
  sessions.target = co_await target.connect();
  sessions.target_folders = co_await sessions.target->list();
}

Task<void> say_goodbye(Sessions& sessions, Observer& log) {
  constexpr std::chrono::seconds kGoodbye{5};
  try {
    co_await with_timeout(kGoodbye, sessions.source->logout());
    co_await with_timeout(kGoodbye, sessions.target->logout());
  } catch (const TimedOut&) {
    log.note(Level::debug, "a server did not answer the goodbye");
  }
}

Findings findings_from(const PairOptions& options, Sessions& sessions) {
  const CrossingOptions selection = crossing_options(options);
  std::erase_if(sessions.source_folders,
                [&](const FolderInfo& folder) { return !selection.wants(folder.name); });
  Findings findings;
  findings.traits = sessions.target->traits();
  Mapping mapping = map_folders({std::move(sessions.source_folders),
                                 std::move(sessions.target_folders),
                                 *findings.traits,
                                 options.map,
                                 {}});
  for (const MappedFolder& folder : mapping.folders) {
    findings.folders.push_back({folder.source.name, folder.target, folder.source.numbers.messages,
                                folder.source.numbers.size_bytes, folder.exists});
  }
  for (const FolderInfo& folder : mapping.left_out) findings.left_out.push_back(folder.name);
  findings.notes = std::move(mapping.notes);
  return findings;
}

Task<Findings> look(Source& source, Target& target, const PairOptions& options, Observer& log) {
  Sessions sessions;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(look_at_source(source, sessions));
    group.spawn(look_at_target(target, sessions));
    co_await group.join();
  });
  Findings findings = findings_from(options, sessions);
  findings.source_sessions = source.max_sessions();
  findings.target_sessions = target.max_sessions();
  co_await say_goodbye(sessions, log);
  co_return findings;
}

}  // namespace

Report run_check(const PairOptions& options, Observer& log) {
  Wiring wiring(options, log);
  net::UvExecutor& executor = wiring.executor();
  Scope root(executor);
  const auto stop = [&root](int) { root.cancel(); };
  executor.on_signal(SIGINT, stop);
  executor.on_signal(SIGTERM, stop);

  Report report;
  report.source = options.source.to_string();
  report.target = options.target.to_string();
  report.ledger.account = account_name(options);
  const TimePoint begun = executor.now();
  try {
    report.check = block_on(root, look(wiring.source(), wiring.target(), options, log));
  } catch (const Cancelled&) {
    report.ledger.outcome = Outcome::interrupted;
    log.note(Level::warning, "stopped before both ends had been looked at");
  }
  executor.on_signal(SIGINT, nullptr);
  executor.on_signal(SIGTERM, nullptr);
  report.ledger.seconds = std::chrono::duration<double>(executor.now() - begun).count();
  return report;
}

}  // namespace postferry::cli
