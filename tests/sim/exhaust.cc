// See exhaust.h.
#include "tests/sim/exhaust.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace postferry::sim {
namespace {

/// What happened between a first run that went well and the one that is struck.
enum class Before { nothing, delivery, flags, deletion, rebuilt };

struct Scenario {
  const char* name;
  const char* source;  // a profile, or "pop3"
  const char* target;
  std::uint64_t letters;
  bool filled;                      // the target has mail already
  bool remove;                      // what has crossed is removed from the source
  Before before = Before::nothing;  // then it is the first run
};

constexpr Scenario kScenarios[] = {
    {"multiappend", "dovecot", "dovecot", 3, false, false},
    {"filled", "dovecot", "cyrus", 3, true, false},
    {"pipelined", "cyrus", "exchange", 2, false, false},
    {"bare", "bare", "bare", 2, false, false},
    {"folding", "gmail", "gmail", 2, false, false},
    {"removing", "dovecot", "dovecot", 2, false, true},
    {"pop3", "pop3", "dovecot", 3, false, false},
    {"pop3-removing", "pop3", "courier", 2, false, true},
    {"delta", "dovecot", "dovecot", 2, false, false, Before::delivery},
    {"delta-bare", "bare", "bare", 2, false, false, Before::delivery},
    {"flags", "dovecot", "exchange", 2, false, false, Before::flags},
    {"mirror", "dovecot", "cyrus", 3, false, false, Before::deletion},
    {"rebuilt", "dovecot", "dovecot", 2, false, false, Before::rebuilt},
    {"rebuilt-pop3", "pop3", "dovecot", 2, false, false, Before::rebuilt},
};

/// What goes wrong, once, in the run that is struck.
struct Blow {
  enum class Kind { none, kill, kill_and_stop, power, cut };
  Kind kind = Kind::none;
  std::uint64_t at = 0;  // a step, or a byte
  bool upstream = false;
  std::uint16_t port = kTargetPort;

  std::string name() const {
    switch (kind) {
      case Kind::none:
        return "calm";
      case Kind::kill:
        return fmt::format("kill-{}", at);
      case Kind::kill_and_stop:
        return fmt::format("stop-{}", at);
      case Kind::power:
        return fmt::format("power-{}", at);
      case Kind::cut:
        return fmt::format("cut-{}-{}-{}", port == kTargetPort ? "target" : "source",
                           upstream ? "up" : "down", at);
    }
    return "";
  }
};

struct Played {
  Report report;
  End struck;                         // run
  std::vector<std::size_t> arrivals;  // in the cut's direction, on one line
};

/// Everything a run of this kind has to do is there for it.
void happen(Before before, World& world) {
  MailFolder& source = world.source_folder("INBOX");
  switch (before) {
    case Before::nothing:
      return;
    case Before::delivery:
      return world.deliver("INBOX", world.letters.letter());
    case Before::flags:
      for (Mail& mail : source.mails) {
        ++mail.touched;
        source.set_flags(mail, {static_cast<std::uint8_t>(mail.flags.system ^ Flags::seen), {}});
      }
      return;
    case Before::deletion:
      return world.remove_at_source("INBOX");
    case Before::rebuilt:
      world.deliver("INBOX", world.letters.letter());
      return world.rebuild_target("INBOX");
  }
}

Played play(const Scenario& scenario, const Blow& blow, Disk& disk, const Disk::Files& image,
            bool loud) {
  disk.reset(image);
  World world(1, loud, disk);
  const std::string source = scenario.source;
  if (source == "pop3") {
    world.open_source(Pop3Profile());
  } else {
    world.open_source(profile_named(source, world.dice));
  }
  world.open_target(profile_named(scenario.target, world.dice));
  world.options.sessions = 1;
  world.options.mirror_deletions = scenario.before == Before::deletion;
  if (scenario.remove) world.options.remove_after = std::chrono::days(0);
  for (std::uint64_t i = 0; i < scenario.letters; ++i)
    world.deliver("INBOX", world.letters.letter());
  if (scenario.filled) {
    world.deliver_to_target("INBOX", *world.source_folder("INBOX").mails.front().bytes);
    world.deliver_to_target("INBOX", world.letters.letter());
  }
  Played played;
  if (scenario.before != Before::nothing) {
    run_once(world, world.start(), played.report);
    happen(scenario.before, world);
    world.network.forget_arrivals();
  }
  // What the server has in hand when its client dies, it stores, a little later; or never.
  world.target->lateness = {300'000, 20'000, blow.kind == Blow::Kind::kill_and_stop ? 1u : ~0u};
  Start start = world.start();
  start.note_moments = true;
  switch (blow.kind) {
    case Blow::Kind::none:
      break;
    case Blow::Kind::power:
      start.death = Death::power_cut;
      [[fallthrough]];
    case Blow::Kind::kill:
    case Blow::Kind::kill_and_stop:
      start.die_at = blow.at;
      break;
    case Blow::Kind::cut:
      world.network.fate = [&blow, met = false](std::uint16_t port) mutable {
        LineFate fate;
        if (port != blow.port || std::exchange(met, true)) return fate;
        fate = {LineFate::Kind::cut, blow.upstream, static_cast<std::size_t>(blow.at)};
        return fate;
      };
      break;
  }
  world.late_commits = blow.kind != Blow::Kind::none;
  played.struck = run_once(world, start, played.report);
  played.arrivals = world.network.arrivals(blow.port, blow.upstream);
  if (played.struck.thrown) played.report.trouble = "the run threw: " + *played.struck.thrown;
  if (blow.kind == Blow::Kind::power) world.agenda.drain();
  world.clear_skies();
  calm_runs(world, played.report);
  return played;
}

}  // namespace

std::uint64_t exhaust(Disk& disk, const Disk::Files& image, const std::string& only,
                      std::uint64_t every,
                      const std::function<void(const std::string& name, const Report&)>& failed) {
  std::uint64_t met = 0, count = 0;
  for (const Scenario& scenario : kScenarios) {
    const auto meet = [&](const Blow& blow) {
      const std::string name = fmt::format("{}/{}", scenario.name, blow.name());
      if (only.empty() ? ++met % every != 0 : name != only) return;
      ++count;
      const Played played = play(scenario, blow, disk, image, !only.empty());
      if (!played.report.trouble.empty()) failed(name, played.report);
    };
    meet({});
    const std::vector<std::uint64_t> moments =
        play(scenario, {}, disk, image, false).struck.moments;
    // Just before what happens outside, and just after it.
    std::set<std::uint64_t> steps(moments.begin(), moments.end());
    for (const std::uint64_t moment : moments)
      if (moment > 0) steps.insert(moment - 1);
    for (const Blow::Kind kind : {Blow::Kind::kill, Blow::Kind::kill_and_stop, Blow::Kind::power})
      for (const std::uint64_t step : steps) meet({kind, step});
    for (const std::uint16_t port : {kSourcePort, kTargetPort})
      for (const bool upstream : {false, true}) {
        std::size_t before = 0;
        for (const std::size_t end :
             play(scenario, {Blow::Kind::none, 0, upstream, port}, disk, image, false).arrivals) {
          for (const std::size_t byte : {before, before + 1, (before + end) / 2, end - 1})
            meet({Blow::Kind::cut, byte, upstream, port});
          before = end;
        }
      }
  }
  return count;
}

}  // namespace postferry::sim
