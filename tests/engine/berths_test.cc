#include "engine/berths.h"

#include <catch2/catch.hpp>

using namespace postferry;

TEST_CASE("there are no more berths at a host than its limit") {
  Berths berths(2);
  std::optional<Berth> one = berths.take({"a"});
  std::optional<Berth> two = berths.take({"a"});
  CHECK(one);
  CHECK(two);
  CHECK_FALSE(berths.take({"a"}));
  CHECK(berths.take({"b"}));
  one.reset();
  CHECK(berths.take({"a"}));
}

TEST_CASE("who gets no berth at one host keeps none at the other") {
  Berths berths(1);
  const std::optional<Berth> there = berths.take({"b"});
  CHECK_FALSE(berths.take({"a", "b"}));
  CHECK(berths.take({"a"}));
}

TEST_CASE("two sessions with one host want two berths") {
  Berths berths(2);
  const std::optional<Berth> both = berths.take({"a", "a"});
  CHECK(both);
  CHECK_FALSE(berths.take({"a"}));
  Berths narrow(1);
  CHECK_FALSE(narrow.take({"a", "a"}));
  CHECK(narrow.take({"a"}));
}
