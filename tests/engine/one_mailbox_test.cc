// Source and target may be one mailbox under two names: what is on the target already is what is at
// the source, and nothing may leave.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

/// What is at the source is on the target, too, and is to leave at once.
struct AtBoth : Pair {
  explicit AtBoth(int count, MemoryOptions target = {}, const std::string& text = "text")
      : Pair(pop3(), std::move(target)) {
    for (int i = 0; i < count; ++i) add("INBOX", letter("m" + std::to_string(i), text));
    for (const MemoryMessage& message : here)
      this->target.folder("INBOX").add(message.bytes, Flags::parse("$Kept"), message.date);
    options.remove_after = std::chrono::days(0);
  }
  /// As the one mailbox does: what goes at the source goes there, too.
  void follow() {
    std::erase_if(there, [this](const MemoryMessage& copy) {
      return copy.uid <= Uid{12} &&
             std::ranges::find(here, copy.bytes, &MemoryMessage::bytes) == here.end();
    });
  }
  const std::vector<MemoryMessage>& here = source.folder("INBOX").messages;
  std::vector<MemoryMessage>& there = target.folder("INBOX").messages;
};

}  // namespace

TEST_CASE("what source and target both show because they are one mailbox is not removed") {
  Pair pair;
  pair.fill("INBOX", 12);
  pair.options.remove_after = std::chrono::days(0);
  const auto from = make_memory_source(pair.source);
  const auto to = make_memory_target(pair.source);
  const Ledger ledger =
      block_on(pair.executor, cross_account({*from, *to, *pair.journal, pair.observer},
                                            {"ann", "source", "target"}, pair.options, pair.stop));
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.removed() == 0);
  CHECK(pair.observer.said("may be one mailbox"));
  CHECK(pair.source.folder("INBOX").messages.size() == 12);
}

TEST_CASE("what POP3 and IMAP both show because they are one mailbox is put back") {
  AtBoth pair(12);
  pair.target.faults.on_call = [&](MemoryServer&, std::string_view) { pair.follow(); };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::partial);
  REQUIRE(ledger.folders.front().error);
  CHECK(std::string(ledger.folders.front().error->what()).contains("one mailbox"));
  CHECK(pair.here.size() == 11);
  CHECK(pair.there.size() == 12);
  CHECK(pair.there.back().uid == Uid{13});
  CHECK(pair.there.back().flags == Flags::parse("$Kept"));
}

TEST_CASE(
    "of what a POP3 source and the target both have one message leaves first, then the rest") {
  AtBoth pair(12);
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(ledger.messages().present == 12);
  CHECK(ledger.removed() == 12);
  CHECK(pair.here.empty());
  CHECK(pair.there.size() == 12);
  CHECK(pair.source.calls["connect"] == 2);
}

TEST_CASE("a line that is lost while one message goes ahead costs no message and doubles none") {
  const bool one_mailbox = GENERATE(true, false), removed = GENERATE(true, false);
  AtBoth pair(12);
  pair.options.retries = 0;
  bool lost = !removed;
  if (!removed) {  // the answer to the second copy's APPEND
    MemoryStop stop;
    stop.fate = MemoryStop::Fate::whole;
    stop.after = 0;
    pair.target.faults.append_stops.push_back(stop);
  }
  pair.target.faults.on_call = [&](MemoryServer&, std::string_view) {
    if (one_mailbox) pair.follow();
    if (pair.here.size() == 11 && !std::exchange(lost, true))
      throw Error(ErrorKind::transient, "the line was lost");
  };
  CHECK(pair.run().outcome == Outcome::interrupted);
  REQUIRE(lost);
  CHECK(pair.there.size() >= 12);
  pair.options.remove_after.reset();
  pair.run();
  CHECK(pair.there.size() == 12);
  CHECK(pair.here.size() == (removed ? 11 : 12));
}

TEST_CASE("where it cannot be tried whether source and target are one mailbox nothing leaves") {
  MemoryOptions blind;
  blind.traits.uidplus = GENERATE(true, false);
  AtBoth pair(3, blind, blind.traits.uidplus ? std::string(600 << 10, 'x') : "text");
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().present == 3);
  CHECK(ledger.removed() == 0);
  CHECK(pair.observer.said("3 messages stay at the source"));
  CHECK(pair.there.size() == 3);
}
