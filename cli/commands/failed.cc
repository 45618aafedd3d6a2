#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "cli/commands/commands.h"
#include "cli/commands/job.h"
#include "cli/commands/pair.h"
#include "cli/eml_files.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/crossing/retry.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kLongestWords = 4000;
/// Messages fetched together; a request to stop is heeded between.
constexpr std::size_t kAtOnce = 16;

std::string name_of(const FailedMessage& message) {
  return eml_name(message.folder, message.row.key);
}

/// What the server said, for whoever finds the message.
std::string words_beside(const FailedMessage& message) {
  return fmt::format("folder {}, {}, {} bytes, run {}\n{}\n", printable(message.folder.to_string()),
                     printable(message.row.key.to_string()), message.row.size_bytes,
                     message.row.run.value, printable(message.row.text, kLongestWords));
}

/// Writes each message to a file of its own, and why it failed beside it. One that is there stays;
/// if it is the same message, that is as good.
class ExportSink final : public MessageSink {
 public:
  ExportSink(TaskGroup& group, std::string directory, std::map<MessageKey, FailedMessage*>& wanted)
      : group_(group), directory_(std::move(directory)), wanted_(wanted) {}

  Task<void> message(Message message) override {
    FailedMessage& failed = *wanted_.at(message.key);
    if (message.body.streamed()) {
      group_.spawn(write(std::move(message), directory_ + "/" + name_of(failed), failed));
    } else {
      co_await write(std::move(message), directory_ + "/" + name_of(failed), failed);
    }
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    wanted_.at(key)->not_exported = gone ? "no longer at the source" : reason;
    co_return;
  }

 private:
  static Task<void> write(Message message, std::string path, FailedMessage& failed) {
    const bool written = co_await write_eml(std::move(message.body), path);
    if (!written) {
      failed.not_exported = path + " is there already, and is another message";
      co_return;
    }
    write_text_file(words_beside(failed), std::filesystem::path(path).replace_extension(".txt"));
    failed.exported_to = path;
  }

  TaskGroup& group_;
  std::string directory_;
  std::map<MessageKey, FailedMessage*>& wanted_;
};

using Wanted = std::map<MessageKey, FailedMessage*>;

void tell_not_exported(const Wanted& wanted, const std::string& why) {
  for (const auto& [key, failed] : wanted) failed->not_exported = why;
}

bool is_told(const FailedMessage& message) {
  return !message.exported_to.empty() || !message.not_exported.empty();
}

/// What is told already, by an earlier try, is left out.
Task<void> export_folder(SourceSession& session, FolderName folder, std::string directory,
                         Wanted& wanted, const StopRequest& stop) {
  FolderNumbers numbers;
  try {
    numbers = co_await session.select(folder);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::rejected) throw;
    co_return tell_not_exported(wanted, error.message());
  }
  const auto& validity = wanted.begin()->second->source_uid_validity;
  if (validity && numbers.uid_validity != validity)
    co_return tell_not_exported(wanted, "the source numbered its messages anew; run copy first");
  const Catalogue catalogue = co_await session.catalogue();
  std::vector<Catalogue::Entry> entries;
  for (auto& [key, failed] : wanted) {
    if (is_told(*failed)) continue;
    if (const auto at = catalogue.find(key)) {
      entries.push_back(catalogue[*at]);
    } else {
      failed->not_exported = "no longer at the source";
    }
  }
  for (std::size_t at = 0; at < entries.size() && !stop.requested(); at += kAtOnce) {
    const auto begin = entries.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t count = std::min(kAtOnce, entries.size() - at);
    std::vector<Catalogue::Entry> some(begin, begin + static_cast<std::ptrdiff_t>(count));
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      ExportSink sink(group, directory, wanted);
      co_await session.fetch(std::move(some), sink);
      co_await group.join();
    });
  }
}

using ByFolder = std::map<FolderName, Wanted>;

Task<void> export_folders(Source& source, std::string directory, ByFolder& by_folder,
                          const StopRequest& stop) {
  constexpr std::chrono::seconds kGoodbye{5};
  const std::unique_ptr<SourceSession> session = co_await source.connect();
  for (auto& [folder, wanted] : by_folder) {
    const bool due = std::ranges::any_of(wanted, [](auto& one) { return !is_told(*one.second); });
    if (due && !stop.requested()) co_await export_folder(*session, folder, directory, wanted, stop);
  }
  try {
    co_await with_timeout(kGoodbye, session->logout());
  } catch (const TimedOut&) {
    co_return;  // all is written
  }
}

}  // namespace

Task<void> export_messages(Source& source, std::string directory,
                           std::vector<FailedMessage>& failed, ExportRun run) {
  ByFolder by_folder;
  for (FailedMessage& message : failed)
    by_folder[message.folder].emplace(message.row.key, &message);
  if (by_folder.empty()) co_return;
  make_directory(directory);
  const auto told = [&failed] { return std::ranges::count_if(failed, is_told); };
  for (int attempt = 1; !run.stop.requested(); ++attempt) {
    const auto before = told();
    std::optional<Error> lost;
    try {
      co_await export_folders(source, directory, by_folder, run.stop);
      break;
    } catch (const Error& error) {
      if (remedy_for(error) != Remedy::again) throw;
      if (told() > before) attempt = 1;
      if (attempt > run.retries) throw;
      lost = error;
    }
    co_await wait_to_try_again(*lost, attempt, run.observer, run.stop);
  }
  for (FailedMessage& message : failed)
    if (!is_told(message)) message.not_exported = "stopped before its turn";
}

Task<Ledger> held_back(Journal& journal, PairOptions options) {
  constexpr std::size_t kLookedAt = 100;
  const AccountIdentity identity = identity_of(options);
  const CrossingOptions selection = crossing_options(options);
  const AccountId account = co_await known_account(journal, identity);
  Ledger held;
  std::set<FolderName> told;
  bool last = true;
  for (RunRecord& run : co_await journal.runs(account, kLookedAt)) {
    if (run.command != "copy" || !run.ended_at) continue;
    if (std::exchange(last, false) && run.ledger.error &&
        run.ledger.error->kind() == ErrorKind::quota)
      held.error = run.ledger.error;
    for (FolderTally& folder : run.ledger.folders) {
      if (!selection.wants(folder.source) || !told.insert(folder.source).second || !folder.error)
        continue;
      FolderTally& tally = held.folders.emplace_back();
      tally.source = std::move(folder.source);
      tally.target = std::move(folder.target);
      tally.error = std::move(folder.error);
    }
  }
  if (held.error || !held.folders.empty()) held.outcome = Outcome::partial;
  co_return held;
}

Task<void> add_held_back(Journal& journal, PairOptions options, Ledger& retried, Report& report) {
  if (options.command != Command::retry || retried.error) co_return;
  const bool known = co_await journal.knows(identity_of(options).name);
  if (!known) co_return;
  Ledger held = co_await held_back(journal, std::move(options));
  if (held.outcome == Outcome::complete) co_return;
  report.held_back = true;
  if (retried.outcome == Outcome::complete) retried.outcome = Outcome::partial;
  if (held.error) retried.error = held.error->in("the last copy was stopped");
  for (FolderTally& folder : held.folders) {
    const auto tried = std::ranges::find(retried.folders, folder.source, &FolderTally::source);
    if (tried == retried.folders.end()) {
      retried.folders.push_back(std::move(folder));
    } else if (!tried->error) {
      tried->error = std::move(folder.error);
    }
  }
}

Ledger ledger_of(const std::vector<FailedMessage>& failed, Ledger ledger) {
  if (std::ranges::any_of(failed, [](const FailedMessage& one) {
        return !one.row.accepted || !one.not_exported.empty();
      }))
    ledger.outcome = Outcome::partial;
  return ledger;
}

Task<void> accept_failed(Journal& journal, PairOptions options, std::vector<FailedMessage>& failed,
                         Observer& log) {
  if (std::ranges::any_of(failed, [](const auto& one) { return !one.not_exported.empty(); })) {
    log.note(Level::warning, "not all of it could be written, so none of it is accepted");
    co_return;
  }
  co_await accept_all(journal, std::move(options));
  std::erase_if(failed, [](const FailedMessage& one) { return one.unknown; });
  for (FailedMessage& message : failed) message.row.accepted = true;
}

Report run_failed(const PairOptions& options, Terminal& terminal, Observer& log) {
  const std::unique_ptr<Journal> journal = open_past_journal(
      journal_path(options), options.accept ? JournalUse::change : JournalUse::look);
  net::UvExecutor executor;
  Report report = report_of(options);
  bool stopped = false;
  report.failed = block_on(executor, failed_messages(*journal, options));
  if (options.export_to && !report.failed->empty()) {
    Wiring wiring(options, log, WiredEnds::source);
    StopRequest stop;
    const SignalWatch signals(wiring.executor(), options, terminal, log, stop);
    block_on(wiring.executor(), export_messages(wiring.source(), *options.export_to, *report.failed,
                                                {log, stop, options.retries}));
    stopped = stop.requested();
  }
  if (options.accept) block_on(executor, accept_failed(*journal, options, *report.failed, log));
  report.ledger = ledger_of(*report.failed, block_on(executor, held_back(*journal, options)));
  if (stopped) report.ledger.outcome = Outcome::interrupted;
  report.ledger.account = account_name(options);
  return report;
}

}  // namespace postferry::cli
