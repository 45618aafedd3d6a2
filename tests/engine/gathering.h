// Two accounts that are gathered into one folder.
#pragma once

#include "engine/async/task_group.h"
#include "tests/engine/crossing_fixture.h"

namespace postferry {

/// Ann and Bob are gathered into one mailbox, with one journal.
struct Gathering {
  explicit Gathering(MemoryOptions target_options = {}, MemoryOptions source_options = {})
      : ann(source_options), bob(source_options), target(std::move(target_options)) {
    options.sessions = 2;
    for (int i = 0; i < 25; ++i) {
      add(ann, "ann" + std::to_string(i), i);
      add(bob, "bob" + std::to_string(i), i);
    }
    for (MemoryServer* server : {&ann, &bob})
      for (int i = 0; i < 25; ++i) add(*server, "both" + std::to_string(i), i);
  }
  static void add(MemoryServer& server, const std::string& id, int date,
                  const char* folder = "INBOX") {
    server.folder(folder).add(letter(id), {}, InternalDate{1000 + date, 0});
  }
  Task<void> carry(MemoryServer& server, std::string name) {
    const auto from = make_memory_source(server);
    const auto to = make_memory_target(target);
    const Ledger ledger =
        co_await cross_account({*from, *to, *journal, observer, &turns},
                               {name, "source of " + name, "target"}, options, stop);
    CHECK(ledger.outcome == Outcome::complete);
    copied += ledger.messages().copied;
    twins += ledger.messages().twins;
  }
  void both_at_once() {
    const auto run = [this]() -> Task<void> {
      co_await with_group([this](TaskGroup& group) -> Task<void> {
        group.spawn(carry(ann, "ann"));
        group.spawn(carry(bob, "bob"));
        co_await group.join();
      });
    };
    block_on(executor, run());
  }
  std::size_t there() { return target.folder("INBOX").messages.size(); }

  ManualExecutor executor;
  MemoryServer ann, bob, target;
  std::unique_ptr<Journal> journal = open_journal_in_memory();
  NotingObserver observer;
  FolderTurns turns;
  CrossingOptions options;
  StopRequest stop;
  std::uint64_t copied = 0, twins = 0;
};

}  // namespace postferry
