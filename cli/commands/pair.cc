#include "cli/commands/pair.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/journal_path.h"
#include "cli/ledger_json.h"
#include "cli/output.h"
#include "engine/counted.h"
#include "engine/crossing/same_account.h"
#include "engine/relay/crossing.h"
#include "engine/removal/left_behind.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

/// The journal of a pair holds one account, whatever its ends are called.
constexpr const char* kAccount = "pair";

constexpr const char* kUnknownText =
    "unknown: it may have been delivered, its answer never came; `retry --unknown` sends it again";

/// The end after a second signal: what was in flight is the next run's to settle.
[[noreturn]] void end_at_once(const PairOptions& options, Terminal& terminal) {
  terminal.status({});
  if (options.json) {
    Report report;
    report.ledger.account = account_name(options);
    report.ledger.outcome = Outcome::interrupted;
    report.failure = OtherFailure{
        "interrupted", "ended at once by a second signal; what was copied is in the journal"};
    write_stdout(ledger_json(report));
  }
  ::_exit(static_cast<int>(ExitCode::at_once));
}

}  // namespace

std::string account_name(const PairOptions& options) {
  return options.account.empty() ? options.source.to_string() : options.account;
}

std::string journal_path(const PairOptions& options) {
  return options.journal ? *options.journal
                         : default_journal_path(options.source, options.target, environment);
}

AccountIdentity identity_of(const PairOptions& options) {
  return {options.account.empty() ? kAccount : options.account, options.source.identity(),
          options.target.identity()};
}

CrossingOptions crossing_options(const PairOptions& options) {
  CrossingOptions crossing;
  crossing.folders = options.folders;
  crossing.excludes = options.excludes;
  crossing.map = options.map;
  crossing.since = options.since;
  crossing.before = options.before;
  crossing.max_size_bytes = options.max_size_bytes;
  crossing.memory_bytes = options.memory_bytes;
  crossing.sessions = options.sessions.value_or(kSessions);
  crossing.sessions_afar = options.sessions.value_or(kSessionsAfar);
  crossing.retries = options.retries;
  crossing.mirror_deletions = options.deletions == Deletions::mirror;
  crossing.force_deletions = options.force_deletions;
  crossing.remove_after = options.remove_after;
  crossing.only_failed = options.command == Command::retry;
  crossing.resend_unknown = options.resend_unknown;
  crossing.dry_run = options.dry_run;
  return crossing;
}

std::unique_ptr<Journal> open_past_journal(const std::string& path, JournalUse use) {
  if (!std::filesystem::exists(path))
    throw Error(ErrorKind::usage, "there is no journal yet: nothing was copied", "journal " + path);
  return use == JournalUse::change ? open_journal(path) : open_journal_read_only(path);
}

Task<AccountId> known_account(Journal& journal, AccountIdentity identity) {
  const bool known = co_await journal.knows(identity.name);
  if (!known) {
    throw Error(ErrorKind::usage,
                identity.name == kAccount
                    ? "the journal knows nothing of this pair"
                    : "the journal knows nothing of the account " + identity.name);
  }
  co_return co_await journal.account(identity.name, identity.source_identity,
                                     identity.target_identity);
}

/// What may have been handed over, as failures of its own kind.
static Task<void> add_unknown(Journal& journal, FolderRecord folder,
                              std::vector<FailedMessage>& found) {
  constexpr std::size_t kRowsAtOnce = 4000;
  MessageKey after;
  for (;;) {
    const std::vector<MessageRow> rows = co_await journal.rows(folder.id, after, kRowsAtOnce);
    if (rows.empty()) co_return;
    after = rows.back().key;
    for (const MessageRow& row : rows) {
      if (row.state != MessageState::unknown) continue;
      FailureRow failure{row.key, row.size_bytes, kUnknownText, row.run};
      std::erase_if(found, [&](const FailedMessage& other) {
        return other.folder == folder.source && other.row.key == row.key;
      });
      found.push_back(
          {folder.source, std::move(failure), true, folder.source_uid_validity, {}, {}});
    }
  }
}

Task<std::vector<FailedMessage>> failed_messages(Journal& journal, PairOptions options) {
  const AccountIdentity identity = identity_of(options);
  const CrossingOptions selection = crossing_options(options);
  std::vector<FailedMessage> found;
  const AccountId account = co_await known_account(journal, identity);
  const std::vector<FolderRecord> folders = co_await journal.folders(account);
  for (const FolderRecord& folder : folders) {
    if (!selection.wants(folder.source)) continue;
    std::vector<FailureRow> rows = co_await journal.failures(folder.id);
    for (FailureRow& row : rows)
      found.push_back({folder.source, std::move(row), false, folder.source_uid_validity, {}, {}});
    if (options.target.relays()) co_await add_unknown(journal, folder, found);
  }
  co_return found;
}

Task<void> accept_all(Journal& journal, PairOptions options) {
  const AccountIdentity identity = identity_of(options);
  const CrossingOptions selection = crossing_options(options);
  const AccountId account = co_await known_account(journal, identity);
  const std::vector<FolderRecord> folders = co_await journal.folders(account);
  for (const FolderRecord& folder : folders)
    if (selection.wants(folder.source)) {
      co_await let_go(journal, folder.id);
      co_await journal.accept_failures(folder.id);
    }
  if (!options.target.relays()) co_return;
  // Of what may have been delivered the user says that it was.
  const std::vector<FailedMessage> failed = co_await failed_messages(journal, options);
  for (const FolderRecord& folder : folders) {
    std::vector<MessageKey> unknown;
    for (const FailedMessage& message : failed)
      if (message.unknown && message.folder == folder.source) unknown.push_back(message.row.key);
    co_await journal.set_state(folder.id, std::move(unknown), MessageState::copied);
  }
}

std::unique_ptr<Journal> open_journal_to_carry(const PairOptions& options) {
  const std::string path = journal_path(options);
  if (!options.dry_run) return open_journal(path);
  return std::filesystem::exists(path) ? open_journal_copy(path) : open_journal_in_memory();
}

Task<std::vector<Refusal>> refusals(Journal& journal, AccountIdentity identity) {
  constexpr std::size_t kMost = 1000;
  std::vector<Refusal> found;
  const AccountId account = co_await known_account(journal, identity);
  const std::vector<FolderRecord> folders = co_await journal.folders(account);
  for (const FolderRecord& folder : folders) {
    const std::vector<FailureRow> rows = co_await journal.failures(folder.id);
    for (const FailureRow& row : rows) {
      if (row.accepted || row.due_at) continue;
      if (found.size() == kMost) co_return found;
      found.push_back({folder.source, row.key, row.text, row.left.has_value()});
    }
  }
  co_return found;
}

Task<void> adopt_names(WiredAccount& ends, PairOptions options, Journal& journal,
                       Observer& observer) {
  if (!options.same_account) co_return;
  const AccountIdentity account = identity_of(options);
  const std::optional<EndNames> former = co_await journal.ends_of(account.name);
  const EndNames now{account.source_identity, account.target_identity};
  if (!former || *former == now) co_return;
  RenamedEnds renamed;
  if (former->source != now.source) renamed.source = &ends.source();
  if (former->target != now.target && options.target.relays())
    throw Error(ErrorKind::usage, "nobody can tell whether a relay leads to the same account");
  if (former->target != now.target) renamed.target = &ends.target();
  const std::size_t found = co_await confirm_same_account(
      renamed, journal, {account.name, former->source, former->target});
  co_await journal.rename_ends(*former, now);
  observer.note(Level::warning, "the journal's " + former->source + " and " + former->target +
                                    " are " + now.source + " and " + now.target + " from now on: " +
                                    counted(found, "message was", "messages were") +
                                    " looked for there, and found");
}

Task<Ledger> carry_account(WiredAccount& ends, SpoolFactory& spool, PairOptions options,
                           CrossingOptions crossing, Carriage carriage) {
  co_await adopt_names(ends, options, carriage.journal, carriage.observer);
  const auto carry = [&](const StopRequest& stop) {
    if (options.target.relays())
      return relay_account(
          {ends.source(), ends.relay(), carriage.journal, carriage.observer, spool},
          identity_of(options), std::move(crossing), stop);
    return cross_account(
        {ends.source(), ends.target(), carriage.journal, carriage.observer, carriage.turns,
         carriage.pace, options.repair ? carriage.originals : nullptr},
        identity_of(options), std::move(crossing), stop);
  };
  co_return co_await carry_within(ends.day_limits(), carriage.journal, carriage.stop, carry);
}

std::optional<Pace> pace_of_messages(const PairOptions& options) {
  if (!options.limit_messages) return std::nullopt;
  return Pace(*options.limit_messages);
}

SignalWatch::SignalWatch(net::UvExecutor& executor, const PairOptions& options, Terminal& terminal,
                         Observer& log, StopRequest& stop)
    : executor_(executor) {
  const auto heed = [&options, &terminal, &log, &stop](int) {
    if (stop.requested()) end_at_once(options, terminal);
    stop.request();
    log.note(Level::warning, "stopping when what is in flight has arrived; once more ends at once");
  };
  executor.on_signal(SIGINT, heed);
  executor.on_signal(SIGTERM, heed);
}

SignalWatch::~SignalWatch() {
  executor_.on_signal(SIGINT, nullptr);
  executor_.on_signal(SIGTERM, nullptr);
}

}  // namespace postferry::cli
