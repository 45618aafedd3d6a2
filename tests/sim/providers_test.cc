// What the list of providers asks of a whole crossing, between model IMAP servers.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/sim/world.h"

using namespace postferry;
using namespace postferry::sim;

namespace {

struct Crossing {
  explicit Crossing(Profile source_profile, Profile target_profile = profiles()[0])
      : disk("providers"), world(1, false, disk) {
    disk.reset(prebuilt_journal(disk));
    world.open_source(std::move(source_profile));
    world.open_target(std::move(target_profile));
  }
  void fill(const std::string& folder, int count) {
    for (int i = 0; i < count; ++i) world.deliver(folder, world.letters.letter());
  }
  /// Those that were there first.
  void take_out(const std::string& folder, int count) {
    MailFolder& from = world.source_folder(folder);
    for (int i = 0; i < count; ++i) from.remove(from.mails.front().uid);
  }
  Ledger run() {
    Outside outside = world.outside();
    const End end = run_program(outside, world.start());
    REQUIRE(end.ledger);
    return *end.ledger;
  }
  std::size_t on_target(const std::string& folder) {
    return world.target_folder(folder)->mails.size();
  }

  Disk disk;
  World world;
};

Profile yahoo() {
  Profile profile = profiles()[0];
  profile.name = "Yahoo";
  profile.greeting = "IMAP4rev1 ready";
  profile.id = "(\"vendor\" \"Yahoo! Inc.\" \"name\" \"Yahoo! IMAP\")";
  profile.command_octets = 1000;
  return profile;
}

}  // namespace

TEST_CASE("providers 17: what slides out of Yahoo's newest 10,000 messages stays on the target") {
  Crossing crossing(yahoo());
  crossing.world.options.mirror_deletions = true;
  crossing.fill("INBOX", 30);
  CHECK(crossing.run().messages().copied == 30);
  // None of the others crosses: this is about those that no longer show.
  crossing.world.options.max_size_bytes = 1;
  crossing.fill("INBOX", 9'975);
  crossing.take_out("INBOX", 5);
  CHECK(crossing.run().deleted() == 0);
  CHECK(crossing.on_target("INBOX") == 30);
  // Where the whole folder shows again, what is gone is gone.
  crossing.take_out("INBOX", 1);
  CHECK(crossing.run().deleted() == 6);
  CHECK(crossing.on_target("INBOX") == 24);
}

TEST_CASE("a folder that is listed and no longer opens keeps its copies, and those of all others") {
  Crossing crossing(profiles()[0]);
  crossing.world.options.mirror_deletions = true;
  crossing.fill("INBOX", 10);
  crossing.fill("Moved", 10);
  crossing.run();
  crossing.take_out("INBOX", 2);
  crossing.take_out("Moved", 2);
  crossing.world.source_folder("Moved").barred = true;
  const Ledger ledger = crossing.run();
  CHECK(ledger.outcome == Outcome::partial);
  CHECK(ledger.deleted() == 0);
  CHECK(crossing.on_target("INBOX") == 10);
  CHECK(crossing.on_target("Moved") == 10);
  crossing.world.source_folder("Moved").barred = false;
  CHECK(crossing.run().deleted() == 4);
}

TEST_CASE("providers 34: a UIDVALIDITY that changes for no reason copies nothing again") {
  const auto [at_source, at_target] =
      GENERATE(std::pair(true, false), std::pair(false, true), std::pair(true, true));
  Crossing crossing(profiles()[0]);
  crossing.fill("INBOX", 20);
  crossing.world.deliver("INBOX", "Subject: bare\r\n\r\nx\r\n");
  crossing.run();
  for (int changes = 0; changes < 2; ++changes) {
    if (at_source) ++crossing.world.source_folder("INBOX").uid_validity;
    if (at_target) ++crossing.world.target_folder("INBOX")->uid_validity;
    const Tally messages = crossing.run().messages();
    CHECK(messages.present == 21);
    CHECK(messages.copied == 0);
  }
  CHECK(crossing.on_target("INBOX") == 21);
  CHECK(crossing.world.target_store.appended == 21);
}

TEST_CASE("providers 34: without any UIDVALIDITY each message crosses once") {
  Profile none = profiles()[0];
  none.name = "none";
  none.uidvalidity = false;
  Crossing crossing(none);
  crossing.fill("INBOX", 20);
  crossing.run();
  crossing.fill("INBOX", 1);
  CHECK(crossing.run().messages().copied == 1);
  CHECK(crossing.world.target_store.appended == 21);
}

TEST_CASE("providers 11: a server that hangs up after ten refusals gets all that it takes, once") {
  const bool multiappend = GENERATE(true, false);
  Profile exchange = profiles()[0];
  exchange.name = "exchange";
  exchange.longest_line = 10'000;
  exchange.errors_borne = 10;
  if (!multiappend) {
    const std::string word = "MULTIAPPEND ";
    exchange.member.erase(exchange.member.find(word), word.size());
  }
  Crossing crossing(profiles()[0], exchange);
  for (int i = 0; i < 200; ++i) {
    const bool bad = i % 13 == 5;
    crossing.world.deliver(
        "INBOX", crossing.world.letters.letter() + std::string(bad ? 12'000 : 0, 'x') + "\r\n");
  }
  const Tally messages = crossing.run().messages();
  CHECK(messages.rejected == 15);
  CHECK(messages.copied == 185);
  CHECK(crossing.on_target("INBOX") == 185);
  CHECK(crossing.world.target_store.appended == 185);
}
