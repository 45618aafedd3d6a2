// Hundreds of crossings through random misfortunes. A failure names its seed: replay it with
// POSTFERRY_SEED=N tests_engine "[simulation]".

#include "tests/conformance/crossing_simulation.h"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace postferry;
using namespace postferry::conformance;

namespace {

void simulate(Misfortunes misfortunes, std::uint64_t seeds) {
  std::uint64_t first = 1;
  if (const char* chosen = std::getenv("POSTFERRY_SEED")) {
    first = std::strtoull(chosen, nullptr, 10);
    seeds = 1;
  }
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    INFO("seed " << seed);
    const std::string trouble = CrossingSimulation(seed, misfortunes).run();
    CHECK(trouble == "");
  }
}

}  // namespace

TEST_CASE("A crossing without misfortune is exact", "[simulation]") {
  Misfortunes none;
  none.cut_lines = none.crashes = false;
  simulate(none, 100);
}

TEST_CASE("Lines that end and crashes at any step lose and double nothing", "[simulation]") {
  simulate({}, 250);
}

TEST_CASE("Odd servers lose and double nothing", "[simulation]") {
  Misfortunes misfortunes;
  misfortunes.odd_targets = true;
  simulate(misfortunes, 150);
}
