// Random crossings with random misfortunes, each replayable from its seed: after the last run every
// source message is on the target exactly once, foreign mail is untouched, a further run appends
// nothing. SWARM_SEED and SWARM_COUNT choose others than the first few hundred.
#include <cstdlib>
#include <random>

#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

int from_environment(const char* name, int fallback) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : fallback;
}

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
  bool one_in(int n) { return below(n) == 0; }

 private:
  std::mt19937 engine_;
};

MemoryStop random_stop(Dice& dice) {
  MemoryStop stop;
  stop.after = static_cast<std::uint64_t>(dice.below(8));
  stop.fate = static_cast<MemoryStop::Fate>(dice.below(4));
  stop.late_by = std::chrono::milliseconds(dice.below(9000));
  stop.late_step = std::chrono::milliseconds(dice.below(400));
  return stop;
}

/// Runs the crossing, and ends it at a random step as a crash would: what the journal was told
/// stays.
void run_or_crash(Pair& pair, Dice& dice) {
  if (!dice.one_in(3)) {
    pair.run();
    return;
  }
  const auto from = make_memory_source(pair.source);
  const auto to = make_memory_target(pair.target);
  Scope root(pair.executor);
  int steps = dice.below(60);
  const auto crash = [&root, &steps](MemoryServer&, std::string_view) {
    if (steps-- == 0) root.cancel();
  };
  pair.source.faults.on_call = pair.target.faults.on_call = crash;
  try {
    block_on(root, cross_account({*from, *to, *pair.journal, pair.observer},
                                 {"ann", "source", "target"}, pair.options, pair.stop));
  } catch (const Cancelled&) {
  }
  pair.source.faults.on_call = pair.target.faults.on_call = nullptr;
}

void schedule(unsigned seed) {
  Dice dice(seed);
  MemoryOptions source, target;
  source.condstore = dice.one_in(2);
  source.uidl_keys = dice.one_in(5);
  source.round_trip = target.round_trip = std::chrono::milliseconds(dice.below(50));
  source.stream_above = dice.one_in(3) ? 200 : kHoldLimit;
  target.condstore = source.condstore;
  target.traits.uidplus = !dice.one_in(4);
  target.traits.batch_messages = static_cast<std::size_t>(1 + dice.below(5));
  Pair pair(source, target);
  pair.options.sessions = 1 + dice.below(3);
  pair.options.retries = 1 + dice.below(6);
  const int folders = source.uidl_keys ? 1 : 1 + dice.below(3);
  for (int f = 0; f < folders; ++f) {
    const std::string name = f == 0 ? "INBOX" : "f" + std::to_string(f);
    const int count = dice.below(9);
    for (int i = 0; i < count; ++i) {
      const std::string id = dice.one_in(6) ? "twice" : std::to_string(f) + "." + std::to_string(i);
      const std::string body =
          dice.one_in(5) ? "Subject: bare\r\n\r\n" + id + "\r\n"
                         : letter(id, std::string(static_cast<std::size_t>(dice.below(400)), 'x'));
      pair.source.folder(name).add(
          body, source.uidl_keys ? Flags{} : Flags::parse(dice.one_in(2) ? "\\Seen" : "work"),
          source.uidl_keys ? std::nullopt : std::optional(InternalDate{1000 + i, 0}));
    }
  }
  std::size_t foreign = 0;
  for (int rounds = 1 + dice.below(4); rounds > 0; --rounds) {
    for (int n = dice.below(3); n > 0; --n)
      pair.target.faults.append_stops.push_back(random_stop(dice));
    for (int n = dice.below(2); n > 0; --n) {
      MemoryStop stop;
      stop.after = static_cast<std::uint64_t>(dice.below(8));
      pair.source.faults.fetch_stops.push_back(stop);
    }
    if (dice.one_in(3)) {
      pair.target.folder("INBOX").add(letter("foreign" + std::to_string(foreign++)), {},
                                      InternalDate{9, 0});
    }
    run_or_crash(pair, dice);
  }
  pair.source.faults = {};
  pair.target.faults = {};
  pair.target.arrive_all();
  pair.options.retries = 5;
  pair.run();
  pair.run();
  const std::uint64_t appended = pair.target.appended;
  const Ledger last = pair.run();
  INFO("seed " << seed << ", replay with SWARM_SEED=" << seed << " SWARM_COUNT=1; uidplus "
               << target.traits.uidplus << " uidl " << source.uidl_keys);
  std::string told;
  for (const std::string& note : pair.observer.notes) told += note + "\n";
  for (MemoryFolder& folder : pair.target.folders())
    for (const MemoryMessage& m : folder.messages)
      told += folder.name.to_string() + " " + std::to_string(m.uid.value) + " " +
              m.flags.to_string() + " " + m.bytes.substr(0, 60) + "\n";
  INFO(told);
  CHECK(last.outcome == Outcome::complete);
  CHECK(pair.target.appended == appended);
  for (MemoryFolder& folder : pair.source.folders()) {
    Pair::Content there = Pair::content(pair.target, folder.name),
                  here = Pair::content(pair.source, folder.name);
    std::erase_if(there, [](const auto& message) {
      return std::get<0>(message).find("letter foreign") != std::string::npos;
    });
    if (source.uidl_keys) {
      for (auto* content : {&there, &here})
        for (auto& message : *content) std::get<2>(message) = 0;
    }
    // Without UIDPLUS a late arrival is reported, and stays.
    CHECK((target.traits.uidplus ? there == here : std::ranges::includes(there, here)));
  }
  std::size_t strangers = 0;
  for (const MemoryMessage& message : pair.target.folder("INBOX").messages)
    strangers += message.bytes.find("letter foreign") != std::string::npos;
  CHECK(strangers == foreign);
}

}  // namespace

TEST_CASE("whatever goes wrong, after the last run each message is there exactly once") {
  const int first = from_environment("SWARM_SEED", 1), count = from_environment("SWARM_COUNT", 400);
  for (int seed = first; seed < first + count; ++seed) schedule(static_cast<unsigned>(seed));
}
