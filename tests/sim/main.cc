// postferry-sim: plays schedules by their seeds, and names those that went wrong.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "tests/sim/schedule.h"

using namespace postferry::sim;

namespace {

constexpr const char* kUsage =
    "usage: postferry-sim [--seed S] [--count N] [--for SECONDS] [--profile P] [--loud]\n"
    "Plays schedules S, S+1, ... and prints each that went wrong; replay one with --seed.\n";

struct Arguments {
  Orders orders;
  std::uint64_t count = 1;
  std::optional<double> seconds;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--loud") {
      arguments.orders.loud = true;
      continue;
    }
    if (i + 1 >= argc) {
      fmt::print(stderr, "{}", kUsage);
      std::exit(64);
    }
    const char* value = argv[++i];
    if (name == "--seed") {
      arguments.orders.seed = std::strtoull(value, nullptr, 10);
    } else if (name == "--count") {
      arguments.count = std::strtoull(value, nullptr, 10);
    } else if (name == "--for") {
      arguments.seconds = std::strtod(value, nullptr);
    } else if (name == "--profile") {
      arguments.orders.profile = value;
    } else {
      fmt::print(stderr, "{}", kUsage);
      std::exit(64);
    }
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = parse(argc, argv);
  Disk disk("sim");
  const Disk::Files image = prebuilt_journal(disk);
  const auto begun = std::chrono::steady_clock::now();
  const auto passed = [&begun] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  std::uint64_t played = 0, failed = 0, runs = 0, deaths = 0, messages = 0, steps = 0;
  Orders& orders = arguments.orders;
  for (; arguments.seconds ? passed() < *arguments.seconds : played < arguments.count;
       ++played, ++orders.seed) {
    Report report = run_schedule(orders, disk, image);
    if (orders.seed % 100 == 0 && run_schedule(orders, disk, image).trace != report.trace)
      report.trouble += " the second time it went another way";
    runs += report.runs;
    deaths += report.deaths;
    messages += report.messages;
    steps += report.steps;
    if (report.trouble.empty()) continue;
    ++failed;
    fmt::print("seed {}: {}\n", orders.seed, report.trouble);
    std::fflush(stdout);
  }
  const double seconds = passed();
  fmt::print(
      "{} schedules, {} failed; {} runs, {} deaths, {} messages, {} steps; {:.0f} schedules/s\n",
      played, failed, runs, deaths, messages, steps, static_cast<double>(played) / seconds);
  return failed == 0 ? 0 : 1;
}
