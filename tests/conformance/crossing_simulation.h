// Whole crossings between two servers in memory, through random misfortunes, each replayable from
// its seed: lines that end anywhere, crashes at any step, a stop by the user, odd servers. In the
// end each source message must be on the target exactly once, and a further run must do nothing.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "connectors/memory/source.h"
#include "connectors/memory/target.h"
#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/crossing/crossing.h"
#include "state/sqlite_journal.h"

namespace postferry::conformance {

/// What kinds of misfortune may come; which of them do, the seed decides.
struct Misfortunes {
  bool cut_lines = true;
  bool crashes = true;
  bool stops = false;
  bool odd_targets = false;  // folds duplicates, munges headers, takes no keywords
  bool mail_on_target = true;
  /// A late commit comes within the time that settle waits for it, so that no twin arises.
  std::chrono::milliseconds latest_commit{3000};
};

class CrossingSimulation {
 public:
  CrossingSimulation(std::uint64_t seed, Misfortunes misfortunes)
      : random_(seed), may_(misfortunes), source_(source_options()), target_(target_options()) {
    // With room, small folders cross over one connection.
    options_.memory_bytes = one_in(2) ? 64 << 20 : 1000 + upto(200'000);
    options_.sessions = static_cast<int>(1 + upto(3));
    fill();
    plan();
  }

  /// What went wrong; empty when all is well.
  std::string run() {
    int crashes = may_.crashes ? static_cast<int>(upto(3)) : 0;
    std::optional<Outcome> outcome;
    for (int attempt = 0; attempt < 25 && outcome != Outcome::complete; ++attempt) {
      const std::uint64_t steps = crashes-- > 0 ? upto(400) : kEndless;
      try {
        outcome = cross(steps);
      } catch (const std::exception& thrown) {
        executor_.clear();
        return std::string("the crossing threw: ") + thrown.what();
      }
      if (!trouble_.empty()) return trouble_;
    }
    if (outcome != Outcome::complete) return "the crossing never completed: " + last_words();
    target_.arrive_all();
    for (const std::string& name : names_) compare(name);
    if (trouble_.empty()) run_again();
    return trouble_;
  }

 private:
  static constexpr std::uint64_t kEndless = ~std::uint64_t{0};

  std::uint64_t upto(std::uint64_t most) { return random_() % (most + 1); }
  bool one_in(std::uint64_t n) { return random_() % n == 0; }
  std::chrono::milliseconds ms_upto(std::uint64_t most) {
    return std::chrono::milliseconds(upto(most));
  }

  void common(MemoryOptions& options) {
    options.condstore = one_in(2);
    options.list_numbers = !one_in(4);
    options.round_trip = std::chrono::milliseconds(one_in(2) ? 20 : 0);
    options.max_sessions = static_cast<int>(2 + upto(3));
  }

  MemoryOptions source_options() {
    MemoryOptions options;
    options.name = "source";
    common(options);
    options.uidl_keys = one_in(5);
    options.tells_changes = options.condstore && !options.uidl_keys;
    options.stream_above = one_in(2) ? 2000 : kHoldLimit;
    return options;
  }

  MemoryOptions target_options() {
    MemoryOptions options;
    options.name = "target";
    common(options);
    options.traits.uidplus = !one_in(3);
    options.traits.batch_messages = 1 + upto(12);
    if (!may_.odd_targets) return options;
    options.traits.folds_duplicates = one_in(3);
    options.traits.munges_8bit = one_in(3);
    if (one_in(3)) options.keywords = std::vector<std::string>{};
    return options;
  }

  /// No two differ in their bodies alone: which of those is which only bytes could tell.
  std::string make_message() {
    const std::string number = std::to_string(++made_);
    std::string text;
    if (!one_in(5)) text += "Message-ID: <m" + number + "@example.org>\r\n";
    if (one_in(4)) text += "X-Eight: \xc3\xa4\r\n";
    if (one_in(3)) text += "Received: by relay" + std::to_string(upto(3)) + "\r\n";
    text += "Date: Tue, 14 Nov 2023 22:13:20 +" + number + "\r\n";
    text += "From: a@example.org\r\nSubject: s" + std::to_string(upto(5)) + "\r\n\r\n";
    text += "body " + number + "\r\n";
    if (one_in(6)) text += std::string(3000 + upto(60'000), 'b') + "\r\n";
    return text;
  }

  void fill() {
    if (!source_.options().uidl_keys) names_ = {"INBOX", "A", "A/b c"};
    std::vector<std::string> all;
    for (const std::string& name : names_) {
      MemoryFolder& folder = source_.folder(name);
      for (std::uint64_t left = upto(40); left > 0; --left) {
        const bool duplicate = !all.empty() && one_in(8);
        all.push_back(duplicate ? all[upto(all.size() - 1)] : make_message());
        Flags flags;
        if (one_in(2)) flags.add("\\Seen");
        if (one_in(4)) flags.add("Keyword");
        const auto zone = static_cast<std::int16_t>(60 * static_cast<int>(upto(5)));
        folder.add(all.back(), flags,
                   InternalDate{1'600'000'000 + static_cast<std::int64_t>(upto(100'000)), zone});
        if (one_in(10)) folder.uid_next.value += static_cast<std::uint32_t>(upto(5));
      }
      if (!may_.mail_on_target || one_in(2)) continue;
      MemoryFolder& there = target_.folder(name);
      for (const MemoryMessage& message : folder.messages) {
        if (one_in(6)) there.add(message.bytes, message.flags, message.date);
      }
      if (one_in(2)) there.add(make_message(), {}, InternalDate{1, 0});
      before_[name] = bytes_of(there);
    }
  }

  void plan() {
    if (!may_.cut_lines) return;
    for (std::uint64_t left = upto(4); left > 0; --left) {
      MemoryStop stop;
      stop.after = upto(25);
      stop.fate = static_cast<MemoryStop::Fate>(upto(3));
      stop.late_by = ms_upto(static_cast<std::uint64_t>(may_.latest_commit.count()));
      stop.late_step = ms_upto(150);
      target_.faults.append_stops.push_back(stop);
    }
    for (std::uint64_t left = upto(4); left > 0; --left) {
      MemoryStop stop;
      stop.after = upto(25);
      if (one_in(2)) stop.body_bytes = 1000 + upto(3000);
      source_.faults.fetch_stops.push_back(stop);
    }
    for (std::uint64_t left = upto(2); left > 0; --left) {
      target_.faults.connect_errors.emplace_back(ErrorKind::transient, "no answer");
    }
    if (!one_in(3)) return;
    target_.faults.on_call = [left = upto(60)](MemoryServer& server,
                                               std::string_view call) mutable {
      if (call != "list" && left > 0 && --left == 0) server.drop_sessions();
    };
  }

  /// One run, as long as it takes `steps` of the loop; nothing when it crashed then.
  std::optional<Outcome> cross(std::uint64_t steps) {
    const std::uint64_t stop_at = may_.stops && one_in(3) ? upto(300) : kEndless;
    const std::unique_ptr<Source> source = make_memory_source(source_);
    const std::unique_ptr<Target> target = make_memory_target(target_);
    StopRequest stop;
    Scope root(executor_);
    Task<Ledger> task = cross_account({*source, *target, *journal_, observer_},
                                      {"account", "source", "target"}, options_, stop)
                            .in(root);
    const auto handle = task.handle();
    executor_.post(handle);
    std::uint64_t done = 0;
    executor_.run_until([&] {
      if (done == stop_at) stop.request();
      return handle.done() || ++done > steps;
    });
    if (!handle.done()) {
      executor_.clear();
      return std::nullopt;
    }
    last_ = handle.promise().take();
    if (!last_.messages().balances()) trouble_ = "the ledger does not balance";
    if (source_.sessions() + target_.sessions() != 0) trouble_ = "sessions were left open";
    return last_.outcome;
  }

  std::multiset<std::string> bytes_of(const MemoryFolder& folder) const {
    std::multiset<std::string> bytes;
    for (const MemoryMessage& message : folder.messages) bytes.insert(as_stored(message.bytes));
    return bytes;
  }

  std::string as_stored(std::string bytes) const {
    if (!target_.options().traits.munges_8bit) return bytes;
    const std::size_t end = std::min(bytes.find("\r\n\r\n"), bytes.size());
    for (std::size_t i = 0; i < end; ++i) {
      if (static_cast<unsigned char>(bytes[i]) >= 0x80) bytes[i] = 'X';
    }
    return bytes;
  }

  /// k copies at the source are k on the target, of which some may have been there before.
  void compare(const std::string& name) {
    const bool folds = target_.options().traits.folds_duplicates;
    const auto wanted = bytes_of(source_.folder(name));
    const auto found = bytes_of(target_.folder(name));
    const std::multiset<std::string>& before = before_[name];
    std::set<std::string> each(wanted.begin(), wanted.end());
    each.insert(found.begin(), found.end());
    for (const std::string& bytes : each) {
      const std::size_t most = std::max(wanted.count(bytes), before.count(bytes));
      const std::size_t least = folds ? 1 : most;
      if (found.count(bytes) >= least && found.count(bytes) <= most) continue;
      trouble_ = "folder " + name + " has " + std::to_string(found.count(bytes)) + " instead of " +
                 std::to_string(most) + " of: " + bytes.substr(0, 200);
      return;
    }
    if (before.empty() && !folds && !source_.options().uidl_keys &&
        told_of(source_.folder(name)) != told_of(target_.folder(name))) {
      trouble_ = "flags or dates differ in folder " + name;
    }
  }

  std::multiset<std::string> told_of(const MemoryFolder& folder) const {
    std::multiset<std::string> all;
    for (const MemoryMessage& message : folder.messages) {
      Flags flags = message.flags;
      if (target_.options().keywords) flags.keywords.clear();
      all.insert(as_stored(message.bytes) + flags.to_string() + " " +
                 std::to_string(message.date->seconds) + " " +
                 std::to_string(message.date->zone_minutes));
    }
    return all;
  }

  void run_again() {
    const std::uint64_t appended = target_.appended;
    target_.faults = {};
    source_.faults = {};
    may_.stops = false;
    const std::optional<Outcome> outcome = cross(kEndless);
    if (!trouble_.empty()) return;
    const Tally tally = last_.messages();
    if (outcome != Outcome::complete) trouble_ = "a further run failed: " + last_words();
    if (target_.appended != appended) trouble_ = "a further run appended";
    if (tally.present != tally.seen) trouble_ = "in a further run not all are present";
  }

  std::string last_words() const { return last_.error ? last_.error->what() : "no error"; }

  std::mt19937_64 random_;
  Misfortunes may_;
  ManualExecutor executor_;
  MemoryServer source_, target_;
  std::unique_ptr<Journal> journal_ = open_journal_in_memory();
  Observer observer_;
  CrossingOptions options_;
  std::vector<std::string> names_{"INBOX"};
  std::map<std::string, std::multiset<std::string>> before_;
  std::uint64_t made_ = 100;
  Ledger last_;
  std::string trouble_;
};

}  // namespace postferry::conformance
