// What one process leaves on the simulated disk for the next, on a connection of its own or on the
// one that is kept.
#include "tests/sim/disk.h"

#include <catch2/catch.hpp>

#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "tests/sim/program.h"

using namespace postferry;
using namespace postferry::sim;

namespace {

class Machine {
 public:
  explicit Machine(bool cold) : disk("machine"), empty_(prebuilt_journal(disk)) {
    disk.reset(empty_);
    disk.set_cold(cold);
  }
  void start() { journal_ = open_journal_on_disk(disk); }
  void note(const std::string& name) {
    block_on(executor_, journal_->account(name, "source", "target"));
  }
  bool knows(const std::string& name) { return block_on(executor_, journal_->knows(name)); }
  void make_durable() { block_on(executor_, journal_->make_durable()); }
  void end() { journal_.reset(); }
  void die() {
    disk.kill();
    end();
  }
  void lose_power(Dice& dice) {
    disk.cut_power(dice);
    end();
  }
  void replace_disk() { disk.reset(empty_); }

  Disk disk;

 private:
  const Disk::Files empty_;
  ManualExecutor executor_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace

TEST_CASE("What a killed process committed is there for the next one") {
  Machine machine(GENERATE(false, true));
  machine.start();
  machine.note("ann");
  machine.die();
  machine.start();
  CHECK(machine.knows("ann"));
}

TEST_CASE("A process that starts knows nothing that is not on the disk") {
  Machine machine(GENERATE(false, true));
  machine.start();
  machine.note("ann");
  machine.die();
  machine.replace_disk();
  machine.start();
  CHECK_FALSE(machine.knows("ann"));
  machine.note("bob");
  machine.end();
  machine.start();
  CHECK(machine.knows("bob"));
}

TEST_CASE("A process that ends leaves all it wrote in one file") {
  Machine machine(GENERATE(false, true));
  machine.start();
  machine.note("ann");
  machine.end();
  Disk::Files files = machine.disk.contents();
  CHECK(files["journal.db-wal"].empty());
  CHECK(files[kJournalFile].find("ann") != std::string::npos);
}

TEST_CASE("A power cut loses what was not synced, and nothing else") {
  Machine machine(GENERATE(false, true));
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Dice dice(seed);
    machine.replace_disk();
    machine.start();
    machine.note("ann");
    machine.make_durable();
    machine.note("bob");
    machine.lose_power(dice);
    machine.start();
    CHECK(machine.knows("ann"));
    lost += machine.knows("bob") ? 0 : 1;
    machine.end();
  }
  CHECK(lost > 0);
  CHECK(lost < 20);
}

TEST_CASE("A full disk loses nothing that was committed") {
  Machine machine(GENERATE(false, true));
  machine.start();
  machine.note("ann");
  machine.disk.set_room(0);
  CHECK_THROWS_AS(machine.note("bob"), Error);
  machine.end();
  machine.disk.set_room(std::nullopt);
  machine.start();
  CHECK(machine.knows("ann"));
  CHECK_FALSE(machine.knows("bob"));
}
