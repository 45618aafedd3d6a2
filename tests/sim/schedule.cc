// Writes a schedule from its seed, and plays it.
#include "tests/sim/schedule.h"

#include <fmt/format.h>

#include "tests/sim/check.h"

namespace postferry::sim {
namespace {

constexpr const char* kNames[] = {"INBOX", "Projects", "Projects/2019", "Sent"};

bool source_reuses_names(const World& world) { return world.pop3 && world.pop3->profile.reuses(); }

void somebody_acts(World& world, const std::string& name) {
  const auto act = world.dice.below(6);
  world.trace.say("-- somebody does {} in {}", act, name);
  switch (act) {
    case 0:
      return world.deliver(name, world.letters.letter());
    case 1:
      if (world.delivery_would_hide(name)) return;
      return world.deliver_to_target(name, world.letters.letter());
    case 2:
      if (source_reuses_names(world)) return;
      return world.remove_at_source(name);
    case 3:
      return world.reflag_at_source(name);
    case 4:
      return world.remove_at_target(name);
    default:
      return world.reflag_at_target(name);
  }
}

void perhaps_rename_uidls(World& world) {
  const bool named = world.pop3 && world.pop3->profile.uidl == Pop3Profile::Uidl::unique;
  if (named && world.more.one_in(8)) world.rename_uidls();
}

/// In quiet times, so that all must be exact after it.
void perhaps_rebuild(World& world) {
  if (!world.more.one_in(12)) return;
  const std::string& name = world.names[world.more.below(world.names.size())];
  if (!world.from_pop3() && world.more.one_in(2)) return world.rebuild_source(name);
  world.rebuild_target(name);
}

class Schedule {
 public:
  Schedule(const Orders& orders, Disk& disk, const Disk::Files& image)
      : orders_(orders), image_(image), world_(orders.seed, orders.loud, disk), dice_(world_.dice) {
    disk.reset(image);
  }

  Report play() {
    set_up();
    for (std::uint64_t rounds = dice_.one_in(20) ? 0 : 1 + dice_.below(3);
         rounds > 0 && report_.trouble.empty(); --rounds)
      stormy_run();
    calm_runs(world_, report_);
    report_.messages = world_.delivered;
    report_.trace = world_.trace.hash();
    return report_;
  }

 private:
  Profile some_profile() {
    if (!orders_.profile.empty()) return profile_named(orders_.profile, dice_);
    if (dice_.one_in(3)) return random_profile(dice_);
    return profiles()[dice_.below(profiles().size())];
  }

  Profile perhaps_wrong(Profile profile) {
    const bool tracks = profile.offers("CONDSTORE") && !profile.tracks_nothing;
    if (!tracks || !world_.more.one_in(8)) return profile;
    return with_wrong_modseq(std::move(profile), world_.more);
  }

  void set_up() {
    const bool pop3 = dice_.one_in(5);
    if (pop3) {
      Pop3Profile profile = random_pop3_profile(dice_);
      if (world_.newest.one_in(20)) profile.uidl = Pop3Profile::Uidl::renumbered;
      world_.open_source(std::move(profile));
    } else {
      world_.open_source(perhaps_wrong(some_profile()));
    }
    Profile target = some_profile();
    // What such a server had before us has neither the bytes nor the header of the source's, and
    // from POP3 may lose its name as well: what is promised then has still to be said.
    if (pop3) target.rewrites_message_id = false;
    world_.open_target(std::move(target));
    CrossingOptions& options = world_.options;
    options.sessions = static_cast<int>(1 + dice_.below(3));
    world_.source_sessions = world_.target_sessions = static_cast<int>(1 + dice_.below(4));
    options.memory_bytes = 1000 + dice_.below(100'000);
    options.retries = static_cast<int>(1 + dice_.below(5));
    // Wherever several sessions may fill a folder together, they do.
    options.far = std::chrono::milliseconds(0);
    options.alone_up_to = 0;
    if (dice_.one_in(5) && !source_reuses_names(world_))
      options.remove_after = std::chrono::days(dice_.one_in(3) ? 1 : 0);
    options.mirror_deletions = !pop3 && !options.remove_after && dice_.one_in(6);
    options.force_deletions = true;  // folders are small, and what goes is soon the greater part
    LineHabits& habits = world_.network.habits;
    if (dice_.one_in(6)) habits.chunk = 1 + dice_.below(200);
    if (dice_.one_in(40)) habits.chunk = 1 + dice_.below(4);
    if (dice_.one_in(6)) habits.latency_us = dice_.below(200'000);
    if (dice_.one_in(6)) habits.buffer = 64 + dice_.below(2000);
    std::uint64_t left = dice_.below(9);
    for (std::uint64_t folders = pop3 ? 1 : 1 + dice_.below(3); folders > 0; --folders) {
      const std::string name = pop3 ? "INBOX" : kNames[dice_.below(4)];
      MailFolder& folder = world_.source_folder(name);
      folder.subscribed = dice_.one_in(2);
      const std::uint64_t count = folders == 1 ? left : dice_.below(left + 1);
      left -= count;
      for (std::uint64_t i = 0; i < count; ++i)
        world_.deliver(name, world_.letters.letter_or_copy());
      if (dice_.one_in(300) && habits.chunk == 0)
        world_.deliver(name, world_.letters.long_letter());
      if (dice_.one_in(3)) fill_target(name, folder);
    }
  }

  /// The target is not empty: some of the same mail is there already, and some other.
  void fill_target(const std::string& name, const MailFolder& from) {
    for (const Mail& mail : from.mails)
      if (dice_.one_in(4)) world_.deliver_to_target(name, *mail.bytes);
    world_.deliver_to_target(name, world_.letters.letter());
  }

  void plan_mishaps(Misfortune& misfortune, bool target) {
    if (dice_.one_in(3)) return;
    for (std::uint64_t n = 1 + dice_.below(3); n > 0; --n) {
      PlannedMishap planned;
      planned.moment = static_cast<Moment>(dice_.below(6));
      planned.nth = dice_.below(planned.moment == Moment::command ? 20 : 4);
      constexpr Mishap kMishaps[] = {Mishap::cut,       Mishap::cut,         Mishap::stall,
                                     Mishap::bye,       Mishap::unavailable, Mishap::throttled,
                                     Mishap::over_quota};
      planned.mishap = kMishaps[dice_.below(target && dice_.one_in(4) ? 7 : 6)];
      if (target && planned.moment == Moment::before_append && dice_.one_in(4))
        planned.mishap = Mishap::refuse;
      misfortune.plan.push_back(planned);
    }
  }

  void plan_lateness(ImapServer& server) {
    server.lateness.pause_us = dice_.below(dice_.one_in(3) ? 9'000'000 : 2'000'000);
    server.lateness.step_us = dice_.below(400'000);
    server.lateness.gives_up_one_in = 2 + dice_.below(4);
    server.think_us = dice_.below(dice_.one_in(5) ? 50'000 : 1500);
  }

  void plan_lines() {
    if (dice_.one_in(3)) return;
    std::uint64_t left = 1 + dice_.below(4);
    world_.network.fate = [this, left](std::uint16_t) mutable {
      LineFate fate;
      if (left == 0 || dice_.one_in(2)) return fate;
      --left;
      fate.kind = dice_.one_in(6)   ? LineFate::Kind::stall
                  : dice_.one_in(5) ? LineFate::Kind::half_close
                                    : LineFate::Kind::cut;
      fate.upstream = dice_.one_in(2);
      fate.after = dice_.below(dice_.one_in(2) ? 3000 : 10000);
      return fate;
    };
  }

  /// Users go on meanwhile.
  void plan_users() {
    if (!dice_.one_in(3)) return;
    for (std::uint64_t n = 1 + dice_.below(3); n > 0; --n) {
      const std::string name = some_folder();
      world_.agenda.after(dice_.us_below(dice_.one_in(2) ? 100'000 : 5'000'000),
                          [this, name] { somebody_acts(world_, name); });
    }
  }

  const std::string& some_folder() { return world_.names[dice_.below(world_.names.size())]; }

  /// Between runs: indexes are rebuilt, backups put back.
  void trouble_servers() {
    perhaps_rename_uidls(world_);
    // Where mail is removed from the source a restored target loses some of it for good.
    const auto restores = [this] {
      return world_.options.remove_after ? world_.newest.one_in(3) : dice_.one_in(3);
    };
    if (dice_.one_in(12) && !world_.from_pop3()) {
      if (restores()) {
        world_.restore_source(some_folder());
      } else {
        world_.rebuild_source(some_folder());
      }
    }
    if (!dice_.one_in(12)) return;
    world_.agenda.drain();
    if (restores()) {
      world_.restore_target(some_folder());
    } else {
      world_.rebuild_target(some_folder());
    }
  }

  /// The same while a run is under way.
  void plan_rebuild() {
    if (!dice_.one_in(25)) return;
    const std::string name = some_folder();
    const bool at_source = !world_.from_pop3() && dice_.one_in(2);
    world_.agenda.after(dice_.us_below(dice_.one_in(2) ? 100'000 : 5'000'000),
                        [this, name, at_source] {
                          at_source ? world_.rebuild_source(name) : world_.rebuild_target(name);
                        });
  }

  void stormy_run() {
    plan_mishaps(world_.source ? world_.source->misfortune : world_.pop3->misfortune, false);
    plan_mishaps(world_.target->misfortune, true);
    if (world_.source) plan_lateness(*world_.source);
    if (world_.source) world_.source->skips_listed = world_.newest.one_in(10);
    plan_lateness(*world_.target);
    plan_lines();
    plan_users();
    plan_rebuild();
    if (dice_.one_in(15)) world_.target_store.quota = dice_.below(2000);
    world_.late_commits = true;
    Start start = world_.start();
    if (dice_.one_in(8)) start.options.max_size_bytes = 100 + dice_.below(400);
    if (dice_.one_in(12)) start.options.since = world_.letters.date().seconds;
    if (dice_.one_in(2)) start.die_at = dice_.below(dice_.one_in(2) ? 200 : 1500);
    if (dice_.one_in(3)) start.death = Death::power_cut;
    if (dice_.one_in(8)) start.stop_at = dice_.below(800);
    const bool narrow = dice_.one_in(12);
    if (narrow) world_.disk.set_room(dice_.below(100'000));
    const End end = run_once(world_, start, report_);
    world_.clear_skies();
    if (end.thrown && !(narrow && end.thrown_kind == ErrorKind::journal))
      report_.trouble = "the run threw: " + *end.thrown;
    // A reboot outlasts what the server still had in hand.
    if (!end.ledger && start.death == Death::power_cut) {
      world_.agenda.drain();
      world_.note_loss();
    }
    trouble_servers();
    if (!dice_.one_in(20)) return;
    // Somebody deletes the journal, but not while a server is still at work for it.
    world_.agenda.drain();
    world_.forget_journal(image_);
  }

  const Orders& orders_;
  const Disk::Files& image_;
  World world_;
  Dice& dice_;
  Report report_;
};

/// Nothing is amiss but that messages stay at the source for want of a copy.
bool only_left_behind(const End& end) {
  if (!end.ledger || end.ledger->outcome != Outcome::partial) return false;
  const Tally tally = end.ledger->messages();
  return end.ledger->left_at_source() > 0 && !end.ledger->error &&
         end.ledger->folders_failed() == 0 && tally.rejected == tally.accepted &&
         tally.pending == 0;
}

/// What a target without UIDPLUS took and no longer has when it is looked at is held until the user
/// says `retry`. What users removed there before it was seen, or a target made anew, stays at the
/// source until they say that it may go, twice where its name may be another message's.
End calm_run(World& world, Report& report, const char* name) {
  End end = run_once(world, world.start(), report);
  for (int n = 0; n < 2 && report.trouble.empty() && only_left_behind(end); ++n) {
    Start accepting = world.start();
    accepting.accept = world.accepting = true;
    end = run_once(world, accepting, report);
    world.accepting = false;
  }
  const bool partial = end.ledger && end.ledger->outcome == Outcome::partial;
  if (report.trouble.empty() && partial && world.held) {
    Start retry = world.start();
    retry.options.only_failed = true;
    run_once(world, retry, report);
    if (report.trouble.empty()) end = run_once(world, world.start(), report);
  }
  if (!report.trouble.empty()) return end;
  if (end.thrown) report.trouble = fmt::format("{} threw: {}", name, *end.thrown);
  if (end.ledger && end.ledger->outcome != Outcome::complete) {
    std::string why = end.ledger->error ? end.ledger->error->what() : "";
    for (const FolderTally& folder : end.ledger->folders)
      if (folder.error && why.empty()) why = folder.error->what();
    report.trouble = fmt::format("{} is {}: {}", name, to_string(end.ledger->outcome), why);
  }
  if (!end.ledger && !end.thrown) report.trouble = fmt::format("{} did not end", name);
  return end;
}

}  // namespace

End run_once(World& world, const Start& start, Report& report) {
  Outside outside = world.outside();
  ++report.runs;
  world.complete = false;
  world.trace.say("== run {}", report.runs);
  End end = run_program(outside, start);
  report.steps += end.steps;
  world.held = world.held || end.held;
  world.note_end(end.ledger && end.ledger->outcome == Outcome::complete);
  if (!end.ledger && !end.thrown) ++report.deaths;
  if (report.trouble.empty()) report.trouble = end.trouble;
  if (end.ledger) {
    if (!end.ledger->messages().balances()) report.trouble = "the ledger does not balance";
    world.trace.say("== outcome {}{}", to_string(end.ledger->outcome),
                    end.ledger->error ? std::string(": ") + end.ledger->error->what() : "");
  }
  return end;
}

void calm_runs(World& world, Report& report) {
  if (report.trouble.empty()) {
    world.agenda.drain();
    world.options.retries = 5;
    calm_run(world, report, "the calm run");
  }
  if (report.trouble.empty() && !world.names.empty()) {
    for (std::uint64_t n = world.dice.below(4); n > 0; --n)
      somebody_acts(world, world.names[world.dice.below(world.names.size())]);
    perhaps_rename_uidls(world);
    perhaps_rebuild(world);
    calm_run(world, report, "the run after changes");
  }
  if (report.trouble.empty()) {
    const std::uint64_t appended = world.target_store.appended;
    const End last = calm_run(world, report, "a further run");
    if (report.trouble.empty()) {
      const Tally tally = last.ledger->messages();
      const std::uint64_t back = world.may_come_back();
      if (tally.present + back < tally.seen)
        report.trouble = "in a further run not all are present";
      if (world.target_store.appended > appended + back) report.trouble = "a further run appends";
    }
  }
  if (report.trouble.empty()) report.trouble = check(world);
  if (!report.trouble.empty()) report.trouble += " [" + world.describe() + "]";
}

Report run_schedule(const Orders& orders, Disk& disk, const Disk::Files& image) {
  return Schedule(orders, disk, image).play();
}

}  // namespace postferry::sim
