// Writes a schedule from its seed, and plays it.
#include "tests/sim/schedule.h"

#include <fmt/format.h>

#include "tests/sim/check.h"
#include "tests/sim/world.h"

namespace postferry::sim {
namespace {

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
    if (report_.trouble.empty()) calm_runs();
    if (report_.trouble.empty()) report_.trouble = check(world_);
    report_.trace = world_.trace.hash();
    if (!report_.trouble.empty())
      report_.trouble +=
          fmt::format(" [{} to {}]", world_.source->profile.name, world_.target->profile.name);
    return report_;
  }

 private:
  Profile some_profile() {
    if (!orders_.profile.empty()) return profile_named(orders_.profile, dice_);
    if (dice_.one_in(3)) return random_profile(dice_);
    return profiles()[dice_.below(profiles().size())];
  }

  void set_up() {
    Profile of_source = some_profile(), of_target = some_profile();
    world_.open(std::move(of_source), std::move(of_target));
    CrossingOptions& options = world_.options;
    options.sessions = static_cast<int>(1 + dice_.below(3));
    world_.source_sessions = world_.target_sessions = static_cast<int>(1 + dice_.below(4));
    options.memory_bytes = 1000 + dice_.below(100'000);
    options.retries = static_cast<int>(1 + dice_.below(5));
    if (dice_.one_in(6)) world_.network.habits.chunk = 1 + dice_.below(200);
    if (dice_.one_in(40)) world_.network.habits.chunk = 1 + dice_.below(4);
    if (dice_.one_in(6)) world_.network.habits.latency_us = dice_.below(200'000);
    if (dice_.one_in(6)) world_.network.habits.buffer = 64 + dice_.below(2000);
    const std::string names[] = {"INBOX", "Projects", "Projects/2019", "Sent"};
    std::uint64_t left = dice_.below(9);
    for (std::uint64_t folders = 1 + dice_.below(3); folders > 0; --folders) {
      const std::string& name = names[dice_.below(4)];
      MailFolder& folder = world_.source_folder(name);
      folder.subscribed = dice_.one_in(2);
      const std::uint64_t count = folders == 1 ? left : dice_.below(left + 1);
      left -= count;
      for (std::uint64_t i = 0; i < count; ++i) {
        if (dice_.one_in(6)) folder.uid_next += static_cast<std::uint32_t>(1 + dice_.below(4));
        deliver(folder, world_.letters.letter_or_copy());
      }
      if (dice_.one_in(3)) owners_mail(name, folder);
    }
  }

  Mail letter(std::string bytes) {
    Mail mail;
    mail.bytes = std::make_shared<const std::string>(std::move(bytes));
    mail.flags = world_.letters.flags();
    mail.date = world_.letters.date();
    return mail;
  }

  void deliver(MailFolder& folder, std::string bytes) {
    folder.add(letter(std::move(bytes)));
    ++report_.messages;
  }

  /// The target is not empty: some of the same mail is there already, and some other.
  void owners_mail(const std::string& name, const MailFolder& from) {
    MailFolder& folder = world_.make_target_folder(name);
    for (const Mail& mail : from.mails)
      if (dice_.one_in(4)) folder.add(letter(as_stored(world_.target->profile, *mail.bytes)));
    folder.add(letter(as_stored(world_.target->profile, world_.letters.letter())));
  }

  void plan_mishaps(ImapServer& server) {
    if (dice_.one_in(3)) return;
    for (std::uint64_t n = 1 + dice_.below(3); n > 0; --n) {
      PlannedMishap planned;
      planned.moment = static_cast<Moment>(dice_.below(5));
      planned.nth = dice_.below(planned.moment == Moment::command ? 20 : 4);
      constexpr Mishap kMishaps[] = {Mishap::cut,       Mishap::cut,         Mishap::stall,
                                     Mishap::bye,       Mishap::unavailable, Mishap::throttled,
                                     Mishap::over_quota};
      planned.mishap = kMishaps[dice_.below(dice_.one_in(4) ? 7 : 6)];
      server.misfortune.plan.push_back(planned);
    }
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
    for (std::uint64_t n = 1 + dice_.below(2); n > 0; --n) {
      const std::string name = world_.names[dice_.below(world_.names.size())];
      world_.agenda.after(dice_.us_below(dice_.one_in(2) ? 100'000 : 5'000'000), [this, name] {
        if (dice_.one_in(2)) {
          deliver(world_.source_folder(name), world_.letters.letter());
        } else {
          world_.make_target_folder(name).add(
              letter(as_stored(world_.target->profile, world_.letters.letter())));
        }
      });
    }
  }

  void stormy_run() {
    plan_mishaps(*world_.source);
    plan_mishaps(*world_.target);
    plan_lines();
    plan_users();
    world_.late_commits = true;
    Start start = world_.start();
    if (dice_.one_in(2)) start.die_at = dice_.below(dice_.one_in(2) ? 200 : 1500);
    if (dice_.one_in(3)) start.death = Death::power_cut;
    if (dice_.one_in(8)) start.stop_at = dice_.below(800);
    const bool narrow = dice_.one_in(12);
    if (narrow) world_.disk.set_room(dice_.below(100'000));
    const End end = run(start);
    world_.disk.set_room(std::nullopt);
    world_.source->misfortune.clear();
    world_.target->misfortune.clear();
    world_.network.fate = nullptr;
    if (end.thrown && !(narrow && end.thrown_kind == ErrorKind::journal))
      report_.trouble = "the run threw: " + *end.thrown;
    // A reboot outlasts what the server still had in hand.
    if (!end.ledger && start.death == Death::power_cut) world_.agenda.drain();
    if (!dice_.one_in(20)) return;
    // Somebody deletes the journal, but not while a server is still at work for it.
    world_.agenda.drain();
    world_.disk.reset(image_);
  }

  End run(const Start& start) {
    Outside outside = world_.outside();
    ++report_.runs;
    world_.trace.say("== run {}", report_.runs);
    End end = run_program(outside, start);
    report_.steps += end.steps;
    if (!end.ledger && !end.thrown) ++report_.deaths;
    if (report_.trouble.empty()) report_.trouble = end.trouble;
    if (end.ledger) {
      if (!end.ledger->messages().balances()) report_.trouble = "the ledger does not balance";
      world_.trace.say("== outcome {}{}", to_string(end.ledger->outcome),
                       end.ledger->error ? std::string(": ") + end.ledger->error->what() : "");
    }
    return end;
  }

  void calm_runs() {
    world_.agenda.drain();
    world_.options.retries = 5;
    const std::uint64_t before = world_.target_store.appended;
    calm_run("the calm run");
    const std::uint64_t appended = world_.target_store.appended;
    world_.trace.say("== the calm run appended {}", appended - before);
    const End last = calm_run("a further run");
    if (!report_.trouble.empty()) return;
    const Tally tally = last.ledger->messages();
    if (world_.target_store.appended != appended) report_.trouble = "a further run appends";
    if (tally.present + tally.rejected != tally.seen)
      report_.trouble = "in a further run not all are present";
  }

  End calm_run(const char* name) {
    End end = run(world_.start());
    if (!report_.trouble.empty()) return end;
    if (end.thrown) report_.trouble = fmt::format("{} threw: {}", name, *end.thrown);
    if (end.ledger && end.ledger->outcome != Outcome::complete) {
      std::string why = end.ledger->error ? end.ledger->error->what() : "";
      for (const FolderTally& folder : end.ledger->folders)
        if (folder.error && why.empty()) why = folder.error->what();
      report_.trouble = fmt::format("{} is {}: {}", name, to_string(end.ledger->outcome), why);
    }
    if (!end.ledger && !end.thrown) report_.trouble = fmt::format("{} did not end", name);
    return end;
  }

  const Orders& orders_;
  const Disk::Files& image_;
  World world_;
  Dice& dice_;
  Report report_;
};

}  // namespace

Report run_schedule(const Orders& orders, Disk& disk, const Disk::Files& image) {
  return Schedule(orders, disk, image).play();
}

}  // namespace postferry::sim
