// postferry-sim: plays schedules by their seeds, and names those that went wrong.
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/exhaust.h"
#include "tests/sim/pool.h"
#include "tests/sim/relay_schedule.h"
#include "tests/sim/schedule.h"

using namespace postferry::sim;

namespace {

volatile std::sig_atomic_t over = 0;  // somebody has asked a sweep to end

constexpr const char* kUsage =
    "usage: postferry-sim [--seed S] [--count N] [--for SECONDS] [--profile P]\n"
    "                     [--loud | --hashes]\n"
    "       postferry-sim --seeds FILE\n"
    "       postferry-sim --relay [--seed S] [--count N]\n"
    "       postferry-sim [--relay] --exhaustive [--every N] [--only NAME]\n"
    "Plays schedules S, S+1, ... (or those listed in FILE) and prints each that went wrong.\n"
    "S may be `today`: then they are others each day. Ctrl-C ends a sweep, and says how far it is.\n"
    "--loud shows every byte, --hashes a number for each schedule that stands for all of them.\n"
    "--exhaustive plays small scenarios with a crash or a cut at each moment, or one in N of\n"
    "them.\n";

struct Arguments {
  Orders orders;
  std::uint64_t count = 1;
  std::optional<double> seconds;
  std::string seeds;
  std::string only;
  bool exhaustive = false;
  bool hashes = false;
  std::uint64_t every = 1;
};

/// Other schedules each day, the same all day long.
std::uint64_t seed_of_today() {
  constexpr std::uint64_t kFirst = 1'000'000'000, kForADay = 1'000'000;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto day = std::chrono::duration_cast<std::chrono::days>(now).count();
  return kFirst + kForADay * static_cast<std::uint64_t>(day);
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--loud") {
      arguments.orders.loud = true;
      continue;
    }
    if (name == "--hashes") {
      arguments.hashes = true;
      continue;
    }
    if (name == "--relay") {
      arguments.orders.relay = true;
      continue;
    }
    if (name == "--exhaustive") {
      arguments.exhaustive = true;
      continue;
    }
    if (i + 1 >= argc) {
      fmt::print(stderr, "{}", kUsage);
      std::exit(64);
    }
    const char* value = argv[++i];
    if (name == "--seed") {
      arguments.orders.seed =
          value == std::string_view("today") ? seed_of_today() : std::strtoull(value, nullptr, 10);
    } else if (name == "--count") {
      arguments.count = std::strtoull(value, nullptr, 10);
    } else if (name == "--for") {
      arguments.seconds = std::strtod(value, nullptr);
    } else if (name == "--seeds") {
      arguments.seeds = value;
    } else if (name == "--every") {
      arguments.every = std::max<std::uint64_t>(1, std::strtoull(value, nullptr, 10));
    } else if (name == "--only") {
      arguments.only = value;
    } else if (name == "--profile") {
      arguments.orders.profile = value;
    } else {
      fmt::print(stderr, "{}", kUsage);
      std::exit(64);
    }
  }
  return arguments;
}

class Swarm {
 public:
  Swarm(Disk& disk, const Disk::Files& image, bool hashes)
      : disk_(disk), image_(image), hashes_(hashes) {}

  void play(const Orders& orders) {
    Report report = play_once(orders);
    if (orders.seed % 100 == 0) report.trouble += play_again(orders, report.trace);
    if (hashes_) fmt::print("{} {:016x}\n", orders.seed, report.trace);
    ++played_;
    sum_.runs += report.runs;
    sum_.deaths += report.deaths;
    sum_.messages += report.messages;
    sum_.steps += report.steps;
    if (report.trouble.empty()) return;
    ++failed_;
    fmt::print("seed {}: {} (--seed {}{}{}{})\n", orders.seed, report.trouble, orders.seed,
               orders.relay ? " --relay" : "", orders.profile.empty() ? "" : " --profile ",
               orders.profile);
    std::fflush(stdout);
  }

  std::uint64_t played() const { return played_; }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }
  int conclude() const {
    fmt::print(
        "{} schedules, {} failed; {} runs, {} deaths, {} messages, {} steps; {:.0f} schedules/s\n",
        played_, failed_, sum_.runs, sum_.deaths, sum_.messages, sum_.steps,
        static_cast<double>(played_) / seconds());
    return failed_ == 0 ? 0 : 1;
  }

 private:
  /// Each process opens its journal itself this time. It must go the same way, and leave nothing in
  /// memory: what lives as long as the program was made the first time.
  std::string play_again(const Orders& orders, std::uint64_t trace) {
    disk_.set_cold(true);
    disk_.reset(image_);
    const std::size_t before = live_blocks();
    const bool same = play_once(orders).trace == trace;
    disk_.reset(image_);
    const std::size_t after = live_blocks();
    disk_.set_cold(false);
    std::string trouble;
    if (!same) trouble = " the second time it went another way";
    if (after != before)
      trouble += fmt::format(" {} blocks of memory before it and {} after it", before, after);
    return trouble;
  }

  Report play_once(const Orders& orders) {
    return orders.relay ? run_relay_schedule(orders, disk_, image_)
                        : run_schedule(orders, disk_, image_);
  }

  Disk& disk_;
  const Disk::Files& image_;
  const bool hashes_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::uint64_t played_ = 0, failed_ = 0;
  Report sum_;
};

/// `SEED [PROFILE | relay]` a line, and comments.
std::vector<Orders> read_seeds(const std::string& path) {
  std::ifstream file(path);
  std::vector<Orders> all;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    Orders orders;
    if (!(words >> orders.seed)) continue;
    words >> orders.profile;
    if (orders.profile == "relay") {
      orders.profile.clear();
      orders.relay = true;
    }
    all.push_back(std::move(orders));
  }
  return all;
}

int exhaust_all(Disk& disk, const Disk::Files& image, const Arguments& arguments) {
  std::uint64_t failed = 0;
  const auto tell = [&failed, &arguments](const std::string& name, const Report& report) {
    ++failed;
    fmt::print("{}: {} (--exhaustive{} --only {})\n", name, report.trouble,
               arguments.orders.relay ? " --relay" : "", name);
  };
  const std::uint64_t count =
      arguments.orders.relay ? exhaust_relay(disk, image, arguments.only, arguments.every, tell)
                             : exhaust(disk, image, arguments.only, arguments.every, tell);
  fmt::print("{} crashes and cuts, {} failed\n", count, failed);
  return failed == 0 && count > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const Arguments arguments = parse(argc, argv);
  // One thread, and nobody asks what it needs: a tenth of the time.
  if (!give_sqlite_the_pool() || sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
      sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
    return 70;
  Disk disk("sim");
  const Disk::Files image = prebuilt_journal(disk);
  if (arguments.exhaustive) return exhaust_all(disk, image, arguments);
  Swarm swarm(disk, image, arguments.hashes);
  if (!arguments.seeds.empty()) {
    for (const Orders& orders : read_seeds(arguments.seeds)) swarm.play(orders);
    return swarm.conclude();
  }
  Orders orders = arguments.orders;
  fmt::print("from seed {} on\n", orders.seed);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { over = 1; });
  for (; !over && (arguments.seconds ? swarm.seconds() < *arguments.seconds
                                     : swarm.played() < arguments.count);
       ++orders.seed)
    swarm.play(orders);
  return swarm.conclude();
} catch (const std::invalid_argument& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 64;
}
