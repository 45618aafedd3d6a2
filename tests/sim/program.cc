// Starts the program, counts its steps, ends it.
#include "tests/sim/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

#include "engine/async/block_on.h"
#include "engine/crossing/transfer.h"
#include "engine/relay/crossing.h"
#include "engine/removal/left_behind.h"
#include "state/sqlite_journal.h"
#include "tests/sim/gauge.h"

namespace postferry::sim {
namespace {

/// A run that waits out every limit is long over by then.
constexpr std::chrono::hours kLongest{2};
constexpr std::uint64_t kMostSteps = 20'000'000;

class Password final : public Credentials {
 public:
  Task<Secret> secret() override { co_return Secret("secret"); }
};

class Notes final : public Observer {
 public:
  Notes(Outside& outside, End& end) : outside_(outside), trace_(outside.trace), end_(end) {}
  void note(Level, const std::string& text) override {
    trace_.bytes(text);
    trace_.say("## {}", text);
    end_.held = end_.held || text.find(kNotFoundAgain) != std::string::npos;
    for (const std::string_view words : {"they stay (UID ", "it stays (UID "})
      if (const auto at = text.find(words); outside_.told && at != std::string::npos)
        pass_on(text, at + words.size());
  }

 private:
  /// "folder NAME: 2 messages ...; they stay (UID 7, 9)"
  void pass_on(const std::string& text, std::size_t from) {
    constexpr std::string_view kFolder = "folder ";
    const std::string folder = text.substr(kFolder.size(), text.find(": ") - kFolder.size());
    std::string_view uids = std::string_view(text).substr(from);
    while (!uids.empty() && uids[0] >= '0' && uids[0] <= '9') {
      std::uint32_t uid = 0;
      const auto end = std::from_chars(uids.data(), uids.data() + uids.size(), uid).ptr;
      outside_.told(folder, uid);
      uids.remove_prefix(static_cast<std::size_t>(end - uids.data()));
      uids.remove_prefix(std::min<std::size_t>(2, uids.size()));
    }
  }

  Outside& outside_;
  Trace& trace_;
  End& end_;
};

/// All that lives in the program's memory.
struct Process {
  Process(Outside& outside, const Start& start, End& end)
      : journal(open_journal_on_disk(outside.disk)),
        stepped(make_stepped(*journal, outside.dice, outside.trace, outside.unsynced)),
        spool(make_disk_spool(blocking, "/tmp")),
        context{&outside.network, spool.get(), &blocking, "sim"},
        source(make_source(context, end_of(start.source_url))),
        notes(outside, end),
        gauge(start.options.memory_bytes),
        seen_source(watched(*source, gauge)),
        root(outside.executor) {
    EndSetup setup = end_of(start.target_url);
    if (setup.endpoint.relays()) {
      setup.endpoint.recipient = "bob@target.example";
      setup.endpoint.envelope_sender = "ann@source.example";
      relay = make_relay(context, std::move(setup));
    } else {
      target = make_target(context, std::move(setup));
      seen_target = watched(*target, gauge);
    }
  }

  Task<Ledger> carry(const Start& start) {
    const AccountIdentity account{"ann", "source", "target"};
    if (start.accept) co_await accept();
    if (relay)
      co_return co_await relay_account({*source, *relay, *stepped, notes, *spool}, account,
                                       start.options, stop);
    co_return co_await cross_account({*seen_source, *seen_target, *stepped, notes}, account,
                                     start.options, stop);
  }

  Task<void> accept() {
    const AccountId account = co_await stepped->account("ann", "source", "target");
    const std::vector<FolderRecord> folders = co_await stepped->folders(account);
    for (const FolderRecord& folder : folders) {
      co_await let_go(*stepped, folder.id);
      co_await stepped->accept_failures(folder.id);
    }
  }

  EndSetup end_of(const std::string& url) {
    EndSetup setup;
    setup.endpoint = parse_endpoint(url);
    setup.credentials = &password;
    return setup;
  }

  std::unique_ptr<Journal> journal, stepped;
  InlineBlocking blocking;
  std::unique_ptr<SpoolFactory> spool;
  Password password;
  ConnectorContext context;
  std::unique_ptr<Source> source;
  std::unique_ptr<Target> target;  // or
  std::unique_ptr<Relay> relay;
  Notes notes;
  Gauge gauge;
  std::unique_ptr<Source> seen_source;
  std::unique_ptr<Target> seen_target;
  StopRequest stop;
  Scope root;
};

}  // namespace

std::unique_ptr<Journal> open_journal_on_disk(Disk& disk) {
  KeptConnection* const kept = disk.start();
  return open_journal_on(disk.name(), kJournalFile, kept);
}

Disk::Files prebuilt_journal(Disk& disk) {
  disk.set_cold(true);
  disk.reset({});
  open_journal_on_disk(disk).reset();
  disk.set_cold(false);
  return disk.contents();
}

End run_program(Outside& outside, const Start& start) {
  End end;
  const TimePoint begun = outside.executor.now();
  std::unique_ptr<Process> process;
  try {
    process = std::make_unique<Process>(outside, start, end);
  } catch (const Error& error) {
    end.thrown = error.what();
    end.thrown_kind = error.kind();
    return end;
  }
  {
    Task<Ledger> task = process->carry(start).in(process->root);
    const auto handle = task.handle();
    outside.executor.post(handle);
    bool overdue = false;
    std::uint64_t seen = outside.trace.hash();
    try {
      outside.executor.run_until([&] {
        if (end.steps == start.stop_at) process->stop.request();
        if (start.note_moments && std::exchange(seen, outside.trace.hash()) != outside.trace.hash())
          end.moments.push_back(end.steps);
        overdue = outside.executor.now() - begun > kLongest || end.steps > kMostSteps;
        return handle.done() || overdue || end.steps++ >= start.die_at;
      });
    } catch (const Deadlock& deadlock) {
      end.trouble = deadlock.what();
    }
    if (overdue) end.trouble = "the run does not come to an end";
    if (handle.done()) {
      try {
        end.ledger = handle.promise().take();
      } catch (const Error& error) {
        end.thrown = error.what();
        end.thrown_kind = error.kind();
      } catch (const std::exception& error) {
        end.thrown = error.what();
        end.trouble = std::string("what was thrown is no Error: ") + error.what();
      }
    }
    if (!handle.done()) {
      outside.trace.say(
          "-- {} at step {}",
          start.death == Death::power_cut ? "the power is cut" : "the program is killed",
          end.steps);
      if (start.death == Death::power_cut) {
        outside.disk.cut_power(outside.dice);
        outside.unsynced.rows.clear();
      } else {
        outside.disk.kill();
      }
    }
  }
  const bool died = !end.ledger && !end.thrown;
  if (const auto excess = process->gauge.excess())
    end.trouble = fmt::format("{} bytes of message data are held, and {} allowed", *excess,
                              start.options.memory_bytes);
  process.reset();
  if (!died && outside.executor.timers() != outside.agenda.size())
    end.trouble = "timers were left behind";
  outside.agenda.outlive_crash();
  if (!died && outside.network.open_streams() != 0) end.trouble = "connections were left open";
  return end;
}

}  // namespace postferry::sim
