// Two programs, each with a journal of its own, that fill one folder at once.
#include "engine/async/task_group.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

struct TwoJournals : Pair {
  explicit TwoJournals(MemoryOptions target_options) : Pair({}, std::move(target_options)) {}

  /// Both at once, step by step.
  void run_both() {
    const auto from = make_memory_source(source);
    const auto to = make_memory_target(target);
    block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
               group.spawn(cross(*from, *to, *journal));
               group.spawn(cross(*from, *to, *second));
               co_await group.join();
             }));
  }

  std::unique_ptr<Journal> second = open_journal_in_memory();

 private:
  Task<void> cross(Source& from, Target& to, Journal& with) {
    const Ledger ledger = co_await cross_account({from, to, with, observer},
                                                 {"ann", "source", "target"}, options, stop);
    complete = complete && ledger.outcome == Outcome::complete;
  }

 public:
  bool complete = true;
};

MemoryOptions distant() {
  MemoryOptions options;
  options.round_trip = std::chrono::milliseconds(50);
  return options;
}

}  // namespace

TEST_CASE("two journals that both lost a line leave one copy of each message, and not none") {
  TwoJournals pair(distant());
  pair.fill("INBOX", 8);
  pair.add("INBOX", letter("twice"));
  pair.add("INBOX", letter("twice"));
  const auto fate = GENERATE(MemoryStop::Fate::none, MemoryStop::Fate::late);
  for (int i = 0; i < 2; ++i) {
    MemoryStop stop;
    stop.fate = fate;
    stop.late_by = std::chrono::minutes(10);
    pair.target.faults.append_stops.push_back(stop);
  }
  pair.run_both();
  pair.target.arrive_all();
  pair.run_both();
  pair.run_both();
  CHECK(pair.complete);
  CHECK(pair.target.appended > 10);
  CHECK(pair.equal());
}
