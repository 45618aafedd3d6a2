// How long is waited, and what for.
#include "engine/crossing/retry.h"

#include <catch2/catch.hpp>

using namespace postferry;
using namespace std::chrono_literals;

TEST_CASE("a delay that the server names is kept to, but for one that is absurd") {
  const Error busy(ErrorKind::throttled, "Suggested Backoff Time: 299961 milliseconds");
  CHECK(backoff(busy.after(299'961ms), 1, 7) == 299'961ms);
  CHECK(backoff(busy.after(299'961ms), 9, 12345) == 299'961ms);
  CHECK(backoff(busy.after(4'294'967'295ms), 1, 7) == 1h);
}

TEST_CASE("waits double up to a minute, and are spread by a quarter to either side") {
  const Error lost(ErrorKind::transient, "lost");
  const std::chrono::milliseconds wholes[] = {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s};
  for (int attempt = 1; attempt <= 9; ++attempt) {
    const auto whole = wholes[attempt - 1];
    std::chrono::milliseconds least = 1h, most = 0ms;
    for (std::uint64_t dice = 0; dice < 40'000; dice += 7) {
      const auto wait = backoff(lost, attempt, dice);
      least = std::min(least, wait);
      most = std::max(most, wait);
    }
    INFO(attempt);
    CHECK(least >= whole * 3 / 4);
    CHECK(least <= whole * 4 / 5);
    CHECK(most <= whole * 5 / 4);
    CHECK(most >= whole * 6 / 5);
  }
}
