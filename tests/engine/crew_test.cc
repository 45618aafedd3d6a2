// Several sessions fill one folder, where the target is far and takes one message a round trip.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

constexpr std::chrono::milliseconds kRoundTrip{150};

/// Far away, one message a round trip.
MemoryOptions slow_target(int max_sessions = 8) {
  MemoryOptions options;
  options.traits.waits_for_each = true;
  options.traits.batch_messages = 1;
  options.round_trip = kRoundTrip;
  options.max_sessions = max_sessions;
  return options;
}

struct Filling : Pair {
  explicit Filling(MemoryOptions target_options = slow_target(), MemoryOptions source_options = {})
      : Pair(std::move(source_options), std::move(target_options)) {
    options.sessions = 4;
  }
  /// At the first SELECT of the target, before any session helps.
  void once_selected(std::function<void()> what) {
    target.faults.on_call = [what = std::move(what), done = false](MemoryServer&,
                                                                   std::string_view call) mutable {
      if (call == "select" && !std::exchange(done, true)) what();
    };
  }
};

}  // namespace

TEST_CASE("a folder is filled by several sessions where each message waits for an answer") {
  Filling one, four;
  for (Filling* pair : {&one, &four}) pair->fill("INBOX", 200);
  one.options.sessions = 1;
  const double alone = one.run().seconds;
  const double together = four.run().seconds;
  CHECK(four.equal());
  CHECK(together < alone / 3);
  CHECK(four.target.calls["connect"] == 4);
  CHECK(four.source.calls["connect"] == 1);
}

TEST_CASE("that the copies are in no certain order is said once") {
  Filling pair;
  pair.fill("INBOX", 100);
  pair.fill("Sent", 100);
  pair.options.sessions = 6;
  pair.run();
  CHECK(std::ranges::count_if(pair.observer.notes, [](const std::string& note) {
          return note.find("not in the order of the source") != std::string::npos;
        }) == 1);
}

TEST_CASE("one session fills a folder of a target that is near, in order") {
  MemoryOptions near = slow_target();
  near.round_trip = std::chrono::milliseconds(10);
  Filling pair(near);
  pair.fill("INBOX", 100);
  pair.run();
  CHECK(pair.target.calls["connect"] == 1);
}

TEST_CASE("one session fills a folder of a target that takes many messages at once, in order") {
  MemoryOptions roomy = slow_target();
  roomy.traits.waits_for_each = false;
  Filling pair(roomy);
  pair.fill("INBOX", 100);
  pair.run();
  CHECK(pair.target.calls["connect"] == 1);
  std::vector<std::string> here, there;
  for (const MemoryMessage& message : pair.source.folder("INBOX").messages)
    here.push_back(message.bytes);
  for (const MemoryMessage& message : pair.target.folder("INBOX").messages)
    there.push_back(message.bytes);
  CHECK(here == there);
}

TEST_CASE("a handful of messages is not worth another session") {
  Filling pair;
  pair.fill("INBOX", 16);
  pair.run();
  CHECK(pair.target.calls["connect"] == 1);
}

TEST_CASE("lanes and helpers together are never more sessions than allowed") {
  const int allowed = GENERATE(2, 3, 5);
  Filling pair(slow_target(allowed));
  pair.fill("INBOX", 150);
  for (const char* name : {"A", "B", "C"}) pair.fill(name, 70, name);
  pair.options.sessions = 8;
  int most = 0;
  pair.target.faults.on_call = [&most](MemoryServer& server, std::string_view) {
    most = std::max(most, server.sessions());
  };
  pair.run();
  CHECK(pair.equal());
  CHECK(most == allowed);
}

TEST_CASE("a session that the server refuses is done without, and not asked for again") {
  Filling pair;
  pair.fill("INBOX", 200);
  pair.once_selected([&pair] {
    pair.target.faults.connect_errors.emplace_back(ErrorKind::throttled, "too many connections");
  });
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(pair.equal());
  CHECK(pair.target.calls["connect"] == 4);  // the refused one among them
  CHECK(pair.observer.said("fewer sessions"));
}

TEST_CASE("a line that breaks while several fill a folder costs no message and doubles none") {
  using Fate = MemoryStop::Fate;
  const Fate fate = GENERATE(Fate::none, Fate::whole, Fate::late);
  MemoryOptions slow = slow_target();
  slow.traits.batch_messages = 3;
  Filling pair(slow);
  pair.fill("INBOX", 120);
  MemoryStop stop;
  stop.after = 50;
  stop.fate = fate;
  stop.late_by = std::chrono::milliseconds(700);
  pair.target.faults.append_stops.push_back(stop);
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::complete);
  CHECK(pair.equal());
  CHECK(ledger.messages().copied == 120);
}

TEST_CASE("a refused message is told of, whichever session carried it") {
  Filling pair;
  pair.fill("INBOX", 60);
  pair.add("INBOX", letter("poisoned"));
  pair.target.faults.refuse = [](const MemoryMessage& message) -> std::optional<std::string> {
    if (message.bytes.find("poisoned") == std::string::npos) return std::nullopt;
    return "NO not this one";
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.messages().rejected == 1);
  CHECK(ledger.messages().copied == 60);
}

TEST_CASE("a run that is stopped while several fill a folder waits for what is under way") {
  Filling pair;
  pair.fill("INBOX", 120);
  pair.target.faults.on_call = [&pair](MemoryServer& server, std::string_view) {
    if (server.appended >= 40) pair.stop.request();
  };
  const Ledger ledger = pair.run();
  CHECK(ledger.outcome == Outcome::interrupted);
  CHECK(ledger.messages().copied == pair.on_target("INBOX"));
}
