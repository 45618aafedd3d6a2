#include "engine/pace.h"

#include "engine/async/task_group.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

TEST_CASE("a pace gives each his turn, and lets no time be saved up") {
  ManualExecutor executor;
  const TimePoint begun = executor.now();
  Pace pace(10);
  std::vector<double> at;
  const auto seconds = [&] {
    return std::chrono::duration<double>(executor.now() - begun).count();
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             for (int i = 0; i < 3; ++i)
               group.spawn([&]() -> Task<void> {
                 co_await pace.take(5);
                 at.push_back(seconds());
               });
             co_await group.join();
           }));
  REQUIRE(at.size() == 3);
  CHECK(at[0] == Approx(0));
  CHECK(at[1] == Approx(0.5));
  CHECK(at[2] == Approx(1));
  executor.advance(std::chrono::seconds(60));
  at.clear();
  block_on(executor, [&]() -> Task<void> {
    for (int i = 0; i < 2; ++i) {
      co_await pace.take(10);
      at.push_back(seconds());
    }
  }());
  CHECK(at[1] - at[0] == Approx(1));
}

TEST_CASE("a crossing keeps to its pace of messages") {
  Pair pair;
  pair.fill("INBOX", 20);
  Pace pace(2);
  const auto from = make_memory_source(pair.source);
  const auto to = make_memory_target(pair.target);
  const TimePoint begun = pair.executor.now();
  const Ledger ledger = block_on(
      pair.executor, cross_account({*from, *to, *pair.journal, pair.observer, nullptr, &pace},
                                   {"ann", "source", "target"}, pair.options, pair.stop));
  CHECK(ledger.messages().copied == 20);
  CHECK(pair.executor.now() - begun >= std::chrono::seconds(9));
}
