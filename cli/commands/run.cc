#include <algorithm>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include "cli/commands/commands.h"
#include "cli/commands/job.h"
#include "cli/commands/pair.h"
#include "cli/eml_files.h"
#include "cli/fleet_progress.h"
#include "cli/heartbeat.h"
#include "cli/kept_originals.h"
#include "cli/observers.h"
#include "cli/presets.h"
#include "cli/proof_text.h"
#include "cli/wiring.h"
#include "engine/async/block_on.h"
#include "engine/crossing/check.h"
#include "engine/crossing/fleet.h"
#include "engine/relay/check.h"
#include "state/sqlite_journal.h"

namespace postferry::cli {
namespace {

constexpr std::uint64_t kLeastMemory = 4u << 20;  // of an account
constexpr std::uint64_t kMemoryWanted = 6u << 20;

/// Where other accounts use the servers meanwhile, another login of this one is not worth it for
/// less: on Dovecot it costs about as much as a hundred messages, at either end.
constexpr std::uint64_t kMessagesASession = 500;

/// Mostly they wait for servers, so that a core carries several.
std::size_t side_by_side(const PairOptions& whole, std::size_t accounts) {
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t wanted =
      whole.jobs > 0 ? static_cast<std::size_t>(whole.jobs)
                     : std::min<std::size_t>(4 * cores, whole.memory_bytes / kMemoryWanted);
  return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(1, accounts));
}

/// What all accounts of a job share.
struct Voyage {
  Machine& machine;
  Journal& journal;
  FolderTurns turns;
  std::optional<Pace> pace;
  Observer& log;
  ProgressCount* count;
  std::uint64_t memory_bytes;  // of each account
  const StopRequest& stop;
};

/// What is done with one account, whose sessions and passwords live no longer than this.
using Work = Task<Ledger> (*)(Voyage& voyage, const PairOptions& options,
                              std::optional<Berth> berth, Report& report);

Task<Ledger> carry(Voyage& voyage, const PairOptions& options, std::optional<Berth> berth,
                   Report& report) {
  AccountWatch watch(options.account, voyage.count, voyage.log);
  PlanCount plan(report.planned_bytes);
  std::vector<Observer*> watchers{&watch};
  if (options.dry_run) watchers.push_back(&plan);
  Observers observers(std::move(watchers));
  WiredAccount ends(voyage.machine, options, watch, WiredEnds::both, std::move(berth));
  CrossingOptions crossing = crossing_options(options);
  crossing.memory_bytes = voyage.memory_bytes;
  crossing.messages_a_session = kMessagesASession;
  const AccountIdentity identity = identity_of(options);
  KeptOriginals originals(options);
  Ledger ledger =
      co_await carry_account(ends, voyage.machine.spool(), options, std::move(crossing),
                             {voyage.journal, observers, &voyage.turns,
                              voyage.pace ? &*voyage.pace : nullptr, voyage.stop, &originals});
  report.repaired = originals.repaired();
  if (ledger.messages().rejected > 0 || ledger.left_at_source() > 0)
    report.refusals = co_await refusals(voyage.journal, identity);
  if (!options.dry_run) co_await add_held_back(voyage.journal, options, ledger, report);
  co_return ledger;
}

Task<Ledger> check(Voyage& voyage, const PairOptions& options, std::optional<Berth> berth,
                   Report& report) {
  AccountWatch watch(options.account, voyage.count, voyage.log);
  WiredAccount ends(voyage.machine, options, watch, WiredEnds::both, std::move(berth));
  const AccountIdentity identity = identity_of(options);
  const bool known = co_await voyage.journal.knows(identity.name);
  if (options.target.relays()) {
    const std::unique_ptr<Journal> copy =
        known ? open_journal_copy(journal_path(options)) : open_journal_in_memory();
    report.check =
        co_await check_relay({ends.source(), ends.relay(), *copy, watch, voyage.machine.spool()},
                             identity, crossing_options(options));
  } else {
    report.check =
        co_await check_account({ends.source(), ends.target(), known ? &voyage.journal : nullptr,
                                watch, identity, crossing_options(options)});
  }
  std::ranges::move(preset_notes(options, *report.check), std::back_inserter(report.check->notes));
  Ledger ledger;
  if (!report.check->problems.empty()) ledger.outcome = Outcome::partial;
  co_return ledger;
}

Task<Ledger> verify(Voyage& voyage, const PairOptions& options, std::optional<Berth> berth,
                    Report& report) {
  AccountWatch watch(options.account, voyage.count, voyage.log);
  WiredAccount ends(voyage.machine, options, watch, WiredEnds::both, std::move(berth));
  const AccountIdentity identity = identity_of(options);
  const std::unique_ptr<Journal> empty = open_journal_in_memory();
  const bool known = co_await voyage.journal.knows(identity.name);
  report.verify = co_await verify_account(
      {ends.source(), ends.target(), known ? voyage.journal : *empty, watch}, identity,
      crossing_options(options), options.level, options.against, voyage.stop);
  co_return ledger_of(*report.verify);
}

Task<Ledger> list_failed(Voyage& voyage, const PairOptions& options, std::optional<Berth> berth,
                         Report& report) {
  report.failed.emplace();
  const bool known = co_await voyage.journal.knows(identity_of(options).name);
  if (known) report.failed = co_await failed_messages(voyage.journal, options);
  AccountWatch watch(options.account, voyage.count, voyage.log);
  if (options.export_to && !report.failed->empty()) {
    WiredAccount ends(voyage.machine, options, watch, WiredEnds::source, std::move(berth));
    make_directory(*options.export_to);
    co_await export_messages(ends.source(), *options.export_to + "/" + safe_name(options.account),
                             *report.failed, {watch, voyage.stop, options.retries});
  }
  if (options.accept && known)
    co_await accept_failed(voyage.journal, options, *report.failed, watch);
  Ledger held;
  if (known) held = co_await held_back(voyage.journal, options);
  co_return ledger_of(*report.failed, std::move(held));
}

Task<Ledger> take_back(Voyage& voyage, const PairOptions& options, std::optional<Berth> berth,
                       Report& report) {
  AccountWatch watch(options.account, voyage.count, voyage.log);
  const AccountIdentity identity = identity_of(options);
  const std::optional<RunId> run = co_await run_meant(voyage.journal, identity, options.run);
  if (!run) throw Error(ErrorKind::usage, "the journal has no run " + options.run);
  WiredAccount ends(voyage.machine, options, watch, WiredEnds::both, std::move(berth));
  report.undo =
      co_await undo_run({ends.source(), ends.target(), voyage.journal, watch, &voyage.turns},
                        identity, *run, crossing_options(options), voyage.stop);
  co_return ledger_of(*report.undo);
}

Work work_of(Command command) {
  switch (command) {
    case Command::check:
      return check;
    case Command::verify:
      return verify;
    case Command::failed:
      return list_failed;
    case Command::undo:
      return take_back;
    default:
      return carry;
  }
}

std::unique_ptr<Journal> open_journal_of(const Job& job) {
  const PairOptions& whole = job.whole;
  if (whole.command == Command::check || whole.command == Command::verify)
    return open_journal_to_look(job);
  if (whole.command != Command::failed && whole.command != Command::undo)
    return open_journal_to_carry(whole);
  const bool looks = whole.command == Command::undo ? whole.dry_run : !whole.accept;
  return open_past_journal(job.journal(), looks ? JournalUse::look : JournalUse::change);
}

/// Whether the command has anything to do with the account. What the journal refuses of it is told
/// when its turn comes.
Task<bool> concerns(Journal& journal, PairOptions options) {
  try {
    if (options.command == Command::undo) {
      const auto run = co_await run_meant(journal, identity_of(options), options.run);
      co_return run.has_value();
    }
    if (options.command != Command::retry) co_return true;
    const bool known = co_await journal.knows(identity_of(options).name);
    if (!known) co_return false;
    const std::vector<FailedMessage> failed = co_await failed_messages(journal, options);
    const Ledger held = co_await held_back(journal, options);
    co_return held.outcome != Outcome::complete ||
        std::ranges::any_of(failed, [&](const FailedMessage& one) {
          return one.unknown ? options.resend_unknown : !one.row.accepted;
        });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
  }
  co_return true;
}

/// The accounts that the options choose, and how much each holds.
Task<std::vector<PairOptions>> choose(const Job& job, Journal& journal, FleetPlan& plan) {
  const std::vector<AccountPast> past = co_await pasts_of(journal, job.accounts);
  std::vector<PairOptions> chosen;
  for (std::size_t i = 0; i < job.accounts.size(); ++i) {
    if (!is_chosen(job.whole, job.accounts[i].account)) continue;
    if (job.whole.skip_complete && past[i].complete()) continue;
    if (job.whole.failed_accounts && (!past[i].last || past[i].complete())) continue;
    const bool concerned = co_await concerns(journal, job.accounts[i]);
    if (!concerned) continue;
    chosen.push_back(job.accounts[i]);
    plan.sizes.push_back(past[i].messages());
  }
  if (chosen.empty() && job.whole.command == Command::undo)
    throw Error(ErrorKind::usage, "none of the accounts has a run " + job.whole.run);
  co_return chosen;
}

/// What a limit for all leaves to each, so that nobody's second session keeps another from its
/// first.
void share_sessions(std::vector<PairOptions>& accounts, std::size_t share) {
  for (PairOptions& options : accounts) {
    const std::size_t wanted = static_cast<std::size_t>(options.sessions.value_or(kSessionsAfar));
    options.sessions = static_cast<int>(std::clamp<std::size_t>(share, 1, wanted));
  }
}

}  // namespace

JobReport run_job(const Job& job, Terminal& terminal, Observer& log) {
  const PairOptions& whole = job.whole;
  check_only(job);
  Machine machine(whole, log);
  net::UvExecutor& executor = machine.executor();
  const Work work = work_of(whole.command);
  const std::unique_ptr<Journal> journal = open_journal_of(job);
  StopRequest stop;
  const SignalWatch signals(executor, whole, terminal, log, stop);

  FleetPlan plan;
  std::vector<PairOptions> chosen = block_on(executor, choose(job, *journal, plan));
  plan.side_by_side = side_by_side(whole, chosen.size());
  plan.wait = whole.wait;
  std::vector<std::optional<Berth>> berths(chosen.size());
  if (machine.berths()) {
    share_sessions(chosen, machine.berths()->at_each() / plan.side_by_side);
    plan.admit = [&](std::size_t index) {
      berths[index] = machine.berths()->take(hosts_of(chosen[index]));
      return berths[index].has_value();
    };
  }

  JobReport report = begin_report(job);
  for (const PairOptions& options : chosen) report.accounts.push_back(report_of(options));
  std::optional<FleetProgress> progress;
  std::optional<Heartbeat> heartbeat;
  const bool progresses = whole.command != Command::failed && whole.command != Command::undo;
  if (progresses && whole.progress == Progress::automatic && !whole.quiet) {
    progress.emplace(terminal, executor, chosen.size());
    heartbeat.emplace(executor, std::chrono::milliseconds(100), [&progress] { progress->tick(); });
  }
  Voyage voyage{machine,
                *journal,
                {},
                pace_of_messages(whole),
                log,
                progress ? &progress->count() : nullptr,
                std::max(kLeastMemory, whole.memory_bytes / plan.side_by_side),
                stop};
  FleetEvents events;
  events.ended = [&](std::size_t index, const Ledger& ledger) {
    Ledger named = ledger;
    named.account = chosen[index].account;
    if (named.error) log.note(Level::error, named.account + ": " + named.error->what());
    if (progress) progress->account_ended(named);
  };
  events.waits = [&](std::size_t index, const Ledger& ledger, std::int64_t until) {
    log.note(Level::warning, chosen[index].account + ": " + ledger.error->what() + "; goes on at " +
                                 utc_text(until) + " UTC");
  };
  const TimePoint begun = executor.now();
  std::vector<Ledger> ledgers = block_on(
      executor, carry_fleet(
                    std::move(plan),
                    [&](std::size_t index) {
                      return work(voyage, chosen[index], std::exchange(berths[index], std::nullopt),
                                  report.accounts[index]);
                    },
                    std::move(events), stop));
  report.seconds = std::chrono::duration<double>(executor.now() - begun).count();
  for (std::size_t i = 0; i < ledgers.size(); ++i) {
    report.accounts[i].ledger = std::move(ledgers[i]);
    report.accounts[i].ledger.account = chosen[i].account;
  }
  return report;
}

}  // namespace postferry::cli
