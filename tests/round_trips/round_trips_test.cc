// How many round trips a run takes, whole: the program between two model servers, on lines that
// take a second there and back and cost nothing else. Connecting takes no time here; over TLS it
// takes two round trips.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/sim/world.h"

using namespace postferry;
using namespace postferry::sim;

namespace {

constexpr std::chrono::seconds kRoundTrip{1};
constexpr int kConnecting = 2;  // TCP, and TLS 1.3

struct Voyage {
  explicit Voyage(Profile source_profile = profiles()[0], Profile target_profile = profiles()[0])
      : disk("round-trips"), world(1, false, disk) {
    disk.reset(prebuilt_journal(disk));
    world.open_source(std::move(source_profile));
    world.open_target(std::move(target_profile));
    world.source->think_us = world.target->think_us = 0;
    world.network.habits.least_us = 500'000;  // each way
    world.network.habits.latency_us = 0;
    world.options.sessions = 1;
    world.source_sessions = world.target_sessions = 1;
  }
  void fill(int folders, int each) {
    for (int i = 0; i < folders; ++i) {
      const std::string name = i == 0 ? "INBOX" : fmt::format("Folder {}", i);
      world.source_folder(name).subscribed = true;
      for (int k = 0; k < each; ++k) world.deliver(name, world.letters.letter());
    }
  }
  /// The round trips of a run that completes, those of connecting included.
  int run() {
    Outside outside = world.outside();
    const TimePoint begun = world.executor.now();
    const End end = run_program(outside, world.start());
    REQUIRE(end.ledger);
    CHECK(end.ledger->outcome == Outcome::complete);
    messages = end.ledger->messages();
    flags_updated = 0;
    for (const FolderTally& folder : end.ledger->folders) flags_updated += folder.flags_updated;
    CHECK(messages.balances());
    return kConnecting + static_cast<int>((world.executor.now() - begun) / kRoundTrip);
  }

  Disk disk;
  World world;
  Tally messages;
  std::uint64_t flags_updated = 0;
};

/// One that tracks nothing but what RFC 3501 has.
Profile old_server() {
  Profile profile = profiles()[0];
  profile.name = "old";
  profile.stranger = profile.member = "IMAP4rev1 LITERAL+ UIDPLUS NAMESPACE ID";
  return profile;
}

}  // namespace

TEST_CASE("a run with nothing to do takes as many round trips for 4,000 folders as for 40") {
  const int folders = GENERATE(40, 4000);
  Voyage voyage;
  voyage.fill(folders, folders == 40 ? 3 : 0);
  voyage.fill(40, 2);
  voyage.run();
  const int trips = voyage.run();
  CHECK(voyage.messages.present == voyage.messages.seen);
  CHECK(trips <= 8);
}

TEST_CASE("new mail and changed flags in one folder of 40 take few round trips more") {
  Voyage voyage;
  voyage.fill(40, 5);
  voyage.run();
  for (int i = 0; i < 3; ++i) voyage.world.deliver("Folder 7", voyage.world.letters.letter());
  voyage.world.reflag_at_source("Folder 7");
  const int trips = voyage.run();
  CHECK(voyage.messages.copied == 3);
  CHECK(trips <= 13);
}

TEST_CASE("a first crossing of a small folder takes few round trips") {
  Voyage voyage;
  voyage.world.source_folder("Small").subscribed = true;
  for (int i = 0; i < 5; ++i) voyage.world.deliver("Small", voyage.world.letters.letter());
  const int trips = voyage.run();
  CHECK(voyage.messages.copied == 5);
  CHECK(trips <= 12);
}

TEST_CASE("a first crossing of many folders takes few round trips more than that of one") {
  Voyage voyage;
  voyage.fill(40, 5);
  const int trips = voyage.run();
  CHECK(voyage.messages.copied == 200);
  CHECK(trips <= 18);
}

TEST_CASE("a first crossing of large folders on one line is a stream, not a dialogue") {
  Voyage voyage;
  voyage.fill(4, 300);
  const int trips = voyage.run();
  CHECK(voyage.messages.copied == 1200);
  CHECK(trips <= 28);
}

TEST_CASE("new mail, changed flags and deletions are followed in few round trips") {
  Voyage voyage;
  voyage.fill(1, 60);
  voyage.run();
  for (int i = 0; i < 5; ++i) {
    voyage.world.deliver("INBOX", voyage.world.letters.letter());
    voyage.world.reflag_at_source("INBOX");
    voyage.world.remove_at_source("INBOX");
  }
  voyage.world.options.mirror_deletions = true;
  voyage.run();  // under other options every folder is looked at whole
  for (int i = 0; i < 5; ++i) {
    voyage.world.deliver("INBOX", voyage.world.letters.letter());
    voyage.world.reflag_at_source("INBOX");
    voyage.world.remove_at_source("INBOX");
  }
  const int trips = voyage.run();
  CHECK(voyage.messages.copied > 0);
  CHECK(voyage.flags_updated > 0);
  CHECK(trips <= 18);
}

TEST_CASE("what changed in ten folders of one line is followed side by side") {
  Voyage voyage;
  voyage.world.options.mirror_deletions = true;
  voyage.fill(10, 10);
  voyage.run();
  for (int i = 1; i < 10; ++i) {
    const std::string name = fmt::format("Folder {}", i);
    voyage.world.deliver(name, voyage.world.letters.letter());
    voyage.world.reflag_at_source(name);
    voyage.world.remove_at_source(name);
  }
  const int trips = voyage.run();
  CHECK(voyage.messages.copied > 0);
  CHECK(voyage.flags_updated > 0);
  CHECK(trips <= 40);
}

TEST_CASE("what changed in forty folders is followed over all sessions at once") {
  Voyage voyage;
  voyage.world.options.sessions = 8;
  voyage.world.source_sessions = voyage.world.target_sessions = 8;
  voyage.world.options.mirror_deletions = true;
  voyage.fill(40, 10);
  voyage.run();
  for (int i = 1; i < 40; ++i) {
    const std::string name = fmt::format("Folder {}", i);
    voyage.world.deliver(name, voyage.world.letters.letter());
    voyage.world.reflag_at_source(name);
    voyage.world.remove_at_source(name);
  }
  const int trips = voyage.run();
  CHECK(voyage.messages.copied > 0);
  CHECK(voyage.flags_updated > 0);
  CHECK(trips <= 25);
}

TEST_CASE("where nothing is tracked a volley of STATUS and one of flags tell all") {
  const int folders = GENERATE(40, 1000);
  Voyage voyage(old_server(), old_server());
  voyage.fill(folders, 3);
  voyage.run();
  const int trips = voyage.run();
  CHECK(voyage.messages.present == voyage.messages.seen);
  CHECK(trips <= 10);
}

TEST_CASE(
    "where flags are not tracked those that changed are followed, and no other folder opened") {
  Voyage voyage(old_server(), profiles()[0]);
  voyage.fill(40, 3);
  voyage.run();
  voyage.world.reflag_at_source("Folder 7");
  const int trips = voyage.run();
  CHECK(voyage.messages.present == 120);
  CHECK(voyage.flags_updated > 0);
  CHECK(trips <= 13);
}
