// What is refused at one end, and what becomes of the other, and of the next folder.
#include "engine/both_ends.h"

#include "engine/async/timeout.h"
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

class Counting final : public Observer {
 public:
  void folder_begun(const FolderName& source, const FolderName&) override { ++begun[source]; }
  std::map<FolderName, int> begun;
};

Task<void> fail(ErrorKind kind) {
  co_await sleep_for(std::chrono::seconds(1));
  throw Error(kind, "no", "here");
}

}  // namespace

TEST_CASE("a refusal at one end lets the other come to its end, anything else does not") {
  const ErrorKind kind = GENERATE(ErrorKind::rejected, ErrorKind::transient);
  ManualExecutor executor;
  bool ended = false;
  const auto other = [&ended]() -> Task<void> {
    co_await sleep_for(std::chrono::seconds(2));
    ended = true;
  };
  std::optional<Error> error;
  const auto both = [&]() -> Task<void> {
    try {
      co_await at_both_ends(fail(kind), other());
    } catch (const Error& thrown) {
      error = thrown;
    }
  };
  block_on(executor, both());
  REQUIRE(error);
  CHECK(error->kind() == kind);
  CHECK(ended == (kind == ErrorKind::rejected));
}

TEST_CASE("no folder is begun on a line that a refused folder left dead") {
  Pair pair;
  for (int i = 0; i < 12; ++i)
    pair.fill(("F" + std::to_string(i)).c_str(), 60, std::to_string(i) + ".");
  bool refused = false;
  pair.target.faults.on_call = [&refused](MemoryServer&, std::string_view call) {
    // In the middle of an APPEND, when the next messages are on their way.
    if (call == "batch" && !std::exchange(refused, true))
      throw Error(ErrorKind::rejected, "NO not now", "memory");
  };
  Counting counting;
  const auto from = make_memory_source(pair.source);
  const auto to = make_memory_target(pair.target);
  const Ledger ledger =
      block_on(pair.executor, cross_account({*from, *to, *pair.journal, counting},
                                            {"ann", "source", "target"}, pair.options, pair.stop));
  CHECK(ledger.messages().copied == 11 * 60);
  // Those that were under way on it began again, and no others.
  CHECK(std::ranges::count_if(counting.begun, [](const auto& one) { return one.second > 1; }) == 3);
}
