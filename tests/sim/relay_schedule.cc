#include "tests/sim/relay_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "engine/async/block_on.h"
#include "state/sqlite_journal.h"
#include "tests/sim/smtp_server.h"

namespace postferry::sim {
namespace {

constexpr const char* kNames[] = {"INBOX", "Projects", "Sent"};
/// What is put off is tried again within an hour.
constexpr std::chrono::hours kPutOff{1};
constexpr int kCalmRuns = 12;

using Counts = std::map<std::string, std::size_t>;  // by a letter's bytes

/// What the journal says of all letters.
struct Told {
  Counts delivered, unknown, failed, nothing;
};

class RelayWorld {
 public:
  RelayWorld(std::uint64_t seed, bool loud, Disk& disk) : world(seed, loud, disk) {}

  void open_relay(SmtpProfile profile) {
    relay = std::make_unique<SmtpServer>(std::move(profile), world.agenda, world.dice, world.trace);
    world.network.listen(kTargetPort, [this](auto wire) { return relay->accept(std::move(wire)); });
    relay->on_message = [this](const std::string& text) { look_at_message(text); };
  }

  Start start() {
    Start start = world.start();
    start.target_url =
        fmt::format("{}://target.example:{}?tls=none&sessions={}",
                    relay->profile.lmtp ? "lmtp" : "smtp", kTargetPort, world.target_sessions);
    return start;
  }

  void clear_skies() {
    if (world.source) world.source->misfortune.clear();
    if (world.pop3) world.pop3->misfortune.clear();
    relay->misfortune.clear();
    world.network.fate = nullptr;
    world.disk.set_room(std::nullopt);
  }

  void let_pass(Duration time) {
    world.agenda.after(time, [] {});
    world.agenda.drain();
  }

  std::string describe() const {
    return fmt::format("{} to {}",
                       world.pop3 ? world.pop3->profile.name : world.source->profile.name,
                       relay->profile.name);
  }

  /// All letters at the source, by their names in the journal.
  template <class Take>
  void for_each_letter(Take take) {
    for (const std::string& name : world.names)
      for (const Mail& mail : world.source_folder(name).mails)
        take(name, world.pop3 ? MessageKey(mail.uidl) : MessageKey(Uid{mail.uid}), *mail.bytes);
  }

  Told told() {
    const std::unique_ptr<Journal> journal = open_journal_on_disk(world.disk);
    std::map<std::string, std::map<MessageKey, MessageState>> rows;
    std::map<std::string, std::set<MessageKey>> failures;
    const auto ask = [this](auto task) { return block_on(world.executor, std::move(task)); };
    const AccountId account = ask(journal->account("ann", "source", "target"));
    for (const FolderRecord& folder : ask(journal->folders(account))) {
      const std::string name = folder.source.to_string();
      for (const MessageRow& row : ask(journal->rows(folder.id, {}, 1000)))
        rows[name].emplace(row.key, row.state);
      for (const FailureRow& row : ask(journal->failures(folder.id)))
        failures[name].insert(row.key);
    }
    Told told;
    for_each_letter([&](const std::string& name, const MessageKey& key, const std::string& bytes) {
      const auto row = rows[name].find(key);
      if (row == rows[name].end()) {
        ++(failures[name].contains(key) ? told.failed : told.nothing)[bytes];
      } else {
        ++(row->second == MessageState::unknown ? told.unknown : told.delivered)[bytes];
      }
    });
    return told;
  }

  /// Each sends one message, while the next may be held already.
  std::uint64_t most_connections() const {
    const auto sessions = static_cast<std::uint64_t>(world.options.sessions);
    return std::clamp<std::uint64_t>(world.options.memory_bytes / (2 * kHoldLimit), 1, sessions);
  }

  /// How often the relay has taken each letter; what is none is a sin.
  Counts taken() {
    Counts out;
    for (const std::string& text : relay->taken) ++out[letter_in(text)];
    return out;
  }

  World world;
  std::unique_ptr<SmtpServer> relay;
  Counts allowance;  // sent again on request

 private:
  /// A relayed message ends with the letter that it was, under a header of its own.
  std::string letter_in(const std::string& text) {
    std::string found;
    for_each_letter([&](const std::string&, const MessageKey&, const std::string& bytes) {
      if (text.ends_with(bytes)) found = bytes;
    });
    if (found.empty() || !text.starts_with("Received:"))
      relay->sins.push_back("something else than a letter was handed over");
    return found;
  }

  void look_at_message(const std::string& text) {
    const std::string letter = letter_in(text);
    bool durable = false;
    for_each_letter([&](const std::string& name, const MessageKey& key, const std::string& bytes) {
      if (bytes != letter) return;
      durable = durable || !world.unsynced.rows.contains(Unsynced::name(name, key));
    });
    if (!durable) relay->sins.push_back("a message was sent whose row is not durable");
  }
};

std::string heading(const std::string& bytes) {
  const std::size_t at = bytes.find("number ");
  return bytes.substr(at, bytes.find("\r\n", at) - at);
}

std::string check(RelayWorld& relay) {
  if (!relay.relay->sins.empty()) return "the client must not: " + relay.relay->sins.front();
  if (!relay.world.source_store.sins.empty())
    return "the client must not: " + relay.world.source_store.sins.front();
  const Told told = relay.told();
  const Counts taken = relay.taken();
  const auto count = [](const Counts& counts, const std::string& bytes) {
    const auto at = counts.find(bytes);
    return at == counts.end() ? std::size_t{0} : at->second;
  };
  Counts letters;
  relay.for_each_letter(
      [&](const std::string&, const MessageKey&, const std::string& bytes) { ++letters[bytes]; });
  for (const auto& [bytes, number] : letters) {
    const std::size_t had = count(taken, bytes), sure = count(told.delivered, bytes);
    if (had > number + count(relay.allowance, bytes))
      return fmt::format("handed over {} times instead of {}: {}", had, number, heading(bytes));
    if (sure > had)
      return fmt::format("told as delivered {} times, and {} were: {}", sure, had, heading(bytes));
    if (const std::size_t silent = count(told.nothing, bytes))
      return fmt::format("{} neither delivered nor told: {}", silent, heading(bytes));
  }
  if (relay.world.network.most_open(kTargetPort) > relay.most_connections())
    return "more connections than sessions and memory were allowed";
  return "";
}

/// Runs until nothing is put off, while time passes; then the check. The first may be a `retry
/// --unknown`.
void calm_relay_runs(RelayWorld& relay, Report& report, bool resend = false) {
  relay.clear_skies();
  for (int n = 0; report.trouble.empty(); ++n) {
    relay.let_pass(kPutOff);
    Start start = relay.start();
    start.options.retries = 5;
    start.options.only_failed = start.options.resend_unknown = resend;
    const End end = run_once(relay.world, start, report);
    if (!report.trouble.empty()) break;
    if (!end.ledger) {
      report.trouble = "a calm run did not end: " + end.thrown.value_or("");
    } else if (end.ledger->messages().pending == 0 && !end.ledger->error && !resend) {
      break;
    } else if (n == kCalmRuns) {
      report.trouble = fmt::format("after {} calm runs {} messages are pending: {}", n,
                                   end.ledger->messages().pending,
                                   end.ledger->error ? end.ledger->error->what() : "");
    }
    resend = false;  // once is what was asked for
  }
  if (report.trouble.empty()) report.trouble = check(relay);
}

/// A user sends again what may have been delivered.
void resend_unknown(RelayWorld& relay) {
  for (const auto& [bytes, number] : relay.told().unknown) relay.allowance[bytes] += number;
}

class Schedule {
 public:
  Schedule(const Orders& orders, Disk& disk)
      : relay_(orders.seed, orders.loud, disk), world_(relay_.world), dice_(world_.dice) {}

  Report play() {
    set_up();
    for (std::uint64_t runs = dice_.below(4); runs > 0 && report_.trouble.empty(); --runs)
      stormy_run(false);
    if (report_.trouble.empty()) calm_relay_runs(relay_, report_);
    if (report_.trouble.empty() && dice_.one_in(2)) {
      resend_unknown(relay_);
      if (dice_.one_in(2)) {
        stormy_run(true);
        if (report_.trouble.empty()) resend_unknown(relay_);
      }
      if (report_.trouble.empty()) calm_relay_runs(relay_, report_, true);
    }
    if (!report_.trouble.empty()) report_.trouble += " [" + relay_.describe() + "]";
    report_.messages = world_.delivered;
    report_.trace = world_.trace.hash();
    return report_;
  }

 private:
  void set_up() {
    if (dice_.one_in(5)) {
      Pop3Profile profile = random_pop3_profile(dice_);
      profile.uidl = Pop3Profile::Uidl::unique;
      world_.open_source(std::move(profile));
    } else {
      world_.open_source(dice_.one_in(3) ? random_profile(dice_)
                                         : profiles()[dice_.below(profiles().size())]);
    }
    relay_.open_relay(random_smtp_profile(dice_));
    world_.options.sessions = static_cast<int>(1 + dice_.below(3));
    world_.source_sessions = world_.target_sessions = static_cast<int>(1 + dice_.below(4));
    world_.options.retries = static_cast<int>(1 + dice_.below(5));
    world_.options.memory_bytes = 1 + world_.newest.below(8 * kHoldLimit);
    LineHabits& habits = world_.network.habits;
    if (dice_.one_in(6)) habits.chunk = 1 + dice_.below(200);
    if (dice_.one_in(6)) habits.latency_us = dice_.below(200'000);
    if (dice_.one_in(6)) habits.buffer = 64 + dice_.below(2000);
    for (std::uint64_t left = dice_.below(9); left > 0; --left) deliver();
    if (dice_.one_in(100) && habits.chunk == 0)
      world_.deliver("INBOX", world_.letters.long_letter());
  }

  void deliver() {
    world_.deliver(world_.from_pop3() ? "INBOX" : kNames[dice_.below(3)],
                   world_.letters.letter_or_copy());
  }

  void plan_mishaps(Misfortune& misfortune, bool at_relay) {
    if (dice_.one_in(3)) return;
    for (std::uint64_t n = 1 + dice_.below(3); n > 0; --n) {
      constexpr Moment kAtRelay[] = {Moment::greeting, Moment::command, Moment::before_append,
                                     Moment::after_append, Moment::after_append};
      constexpr Moment kAtSource[] = {Moment::greeting, Moment::command, Moment::fetch};
      constexpr Mishap kMishaps[] = {Mishap::cut, Mishap::cut,         Mishap::stall,
                                     Mishap::bye, Mishap::unavailable, Mishap::throttled};
      PlannedMishap planned;
      planned.moment = at_relay ? kAtRelay[dice_.below(5)] : kAtSource[dice_.below(3)];
      planned.nth = dice_.below(planned.moment == Moment::command ? 20 : 4);
      planned.mishap = kMishaps[dice_.below(6)];
      if (planned.moment == Moment::before_append && dice_.one_in(3))
        planned.mishap = dice_.one_in(4) ? Mishap::over_quota : Mishap::refuse;
      if (at_relay && planned.moment == Moment::greeting && dice_.one_in(4))
        planned.mishap = Mishap::refuse;
      misfortune.plan.push_back(planned);
    }
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
      fate.after = dice_.below(dice_.one_in(2) ? 1000 : 5000);
      return fate;
    };
  }

  void stormy_run(bool resend) {
    plan_mishaps(world_.source ? world_.source->misfortune : world_.pop3->misfortune, false);
    plan_mishaps(relay_.relay->misfortune, true);
    relay_.relay->think_us = dice_.below(dice_.one_in(5) ? 50'000 : 1500);
    plan_lines();
    if (dice_.one_in(4))
      world_.agenda.after(dice_.us_below(dice_.one_in(2) ? 100'000 : 5'000'000),
                          [this] { deliver(); });
    Start start = relay_.start();
    start.options.only_failed = start.options.resend_unknown = resend;
    if (dice_.one_in(2)) start.die_at = dice_.below(dice_.one_in(2) ? 200 : 1500);
    if (dice_.one_in(3)) start.death = Death::power_cut;
    if (dice_.one_in(8)) start.stop_at = dice_.below(800);
    const End end = run_once(world_, start, report_);
    relay_.clear_skies();
    if (end.thrown && report_.trouble.empty()) report_.trouble = "the run threw: " + *end.thrown;
    // A letter on its way from somebody comes, whatever happens here.
    world_.agenda.drain();
    if (dice_.one_in(3)) relay_.let_pass(std::chrono::minutes(dice_.below(90)));
    if (dice_.one_in(12) && !world_.from_pop3() && !world_.names.empty())
      world_.source_folder(world_.names[dice_.below(world_.names.size())]).rebuild();
  }

  RelayWorld relay_;
  World& world_;
  Dice& dice_;
  Report report_;
};

struct Blow {
  enum class Kind { none, kill, power, cut };
  Kind kind = Kind::none;
  std::uint64_t at = 0;
  bool upstream = false;
};

struct Played {
  Report report;
  End first;
  std::vector<std::size_t> arrivals;
};

Played play(const SmtpProfile& profile, const Blow& blow, Disk& disk, const Disk::Files& image,
            bool loud = false) {
  disk.reset(image);
  RelayWorld relay(1, loud, disk);
  World& world = relay.world;
  world.open_source(profile_named("dovecot", world.dice));
  relay.open_relay(profile);
  world.options.sessions = 1;
  for (int i = 0; i < 3; ++i) world.deliver("INBOX", world.letters.letter());
  Start start = relay.start();
  start.note_moments = true;
  if (blow.kind == Blow::Kind::kill || blow.kind == Blow::Kind::power) start.die_at = blow.at;
  if (blow.kind == Blow::Kind::power) start.death = Death::power_cut;
  if (blow.kind == Blow::Kind::cut)
    world.network.fate = [&blow, met = false](std::uint16_t port) mutable {
      LineFate fate;
      if (port != kTargetPort || std::exchange(met, true)) return fate;
      return LineFate{LineFate::Kind::cut, blow.upstream, static_cast<std::size_t>(blow.at)};
    };
  Played played;
  played.first = run_once(world, start, played.report);
  played.arrivals = world.network.arrivals(kTargetPort, blow.upstream);
  if (played.first.thrown) played.report.trouble = "the run threw: " + *played.first.thrown;
  world.agenda.drain();
  if (played.report.trouble.empty()) calm_relay_runs(relay, played.report);
  return played;
}

}  // namespace

Report run_relay_schedule(const Orders& orders, Disk& disk, const Disk::Files& image) {
  disk.reset(image);
  return Schedule(orders, disk).play();
}

std::uint64_t exhaust_relay(
    Disk& disk, const Disk::Files& image, const std::string& only, std::uint64_t every,
    const std::function<void(const std::string& name, const Report&)>& failed) {
  SmtpProfile pipelined, plain, chunked;
  pipelined.name = "pipelined";
  plain.name = "plain";
  plain.pipelining = false;
  chunked.name = "chunked";
  chunked.chunking = chunked.lmtp = true;
  std::uint64_t met = 0, count = 0;
  for (const SmtpProfile& profile : {pipelined, plain, chunked}) {
    const auto meet = [&](const Blow& blow, const std::string& step) {
      const std::string name = "relay-" + profile.name + "/" + step;
      if (only.empty() ? ++met % every != 0 : name != only) return;
      ++count;
      const Report report = play(profile, blow, disk, image, !only.empty()).report;
      if (!report.trouble.empty()) failed(name, report);
    };
    const std::vector<std::uint64_t> moments = play(profile, {}, disk, image).first.moments;
    std::set<std::uint64_t> steps(moments.begin(), moments.end());
    for (const std::uint64_t moment : moments)
      if (moment > 0) steps.insert(moment - 1);
    for (const std::uint64_t step : steps) {
      meet({Blow::Kind::kill, step}, fmt::format("kill-{}", step));
      meet({Blow::Kind::power, step}, fmt::format("power-{}", step));
    }
    for (const bool upstream : {false, true}) {
      std::size_t before = 0;
      for (const std::size_t end :
           play(profile, {Blow::Kind::none, 0, upstream}, disk, image).arrivals) {
        for (const std::size_t byte : {before, before + 1, (before + end) / 2, end - 1})
          meet({Blow::Kind::cut, byte, upstream},
               fmt::format("cut-{}-{}", upstream ? "up" : "down", byte));
        before = end;
      }
    }
  }
  return count;
}

}  // namespace postferry::sim
