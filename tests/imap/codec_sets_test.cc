// Sequence sets: compact, ordered, never expanded.
#include <catch2/catch.hpp>
#include <numeric>
#include <stdexcept>

#include "connectors/imap/codec/sequence_set.h"

using namespace postferry::imap;

namespace {

using Numbers = std::vector<std::uint32_t>;

Numbers numbers(const SequenceSet& set) { return {set.begin(), set.end()}; }

}  // namespace

TEST_CASE("Ascending numbers become the shortest set") {
  CHECK(encode_set(Numbers{}).empty());
  CHECK(encode_set(Numbers{7}) == "7");
  CHECK(encode_set(Numbers{1, 2, 3, 4, 5, 7, 9, 10, 11, 12}) == "1:5,7,9:12");
  CHECK(encode_set(Numbers{4294967294, 4294967295}) == "4294967294:4294967295");
}

TEST_CASE("Numbers that do not ascend are refused") {
  CHECK_THROWS_AS(encode_set(Numbers{2, 1}), std::invalid_argument);
  CHECK_THROWS_AS(encode_set(Numbers{1, 1}), std::invalid_argument);
  CHECK_THROWS_AS(encode_set(Numbers{4294967295, 0}), std::invalid_argument);
}

TEST_CASE("A long set is split into pieces that fit and lose nothing") {
  Numbers all;
  for (std::uint32_t i = 0; i < 5000; ++i)
    all.push_back(4000000000u + i * 3 + (i % 5 == 0 ? 1 : 0));
  for (const std::size_t octets : {21u, 50u, 1000u, 8000u}) {
    Numbers again;
    for (const std::string& piece : split_set(all, octets)) {
      CHECK(piece.size() <= octets);
      const auto set = SequenceSet::parse(piece, 10000);
      REQUIRE(set);
      for (const std::uint32_t number : *set) again.push_back(number);
    }
    CHECK(again == all);
  }
  CHECK(split_set(Numbers{}, 1000).empty());
  CHECK(split_set(Numbers{4294967294, 4294967295}, 21) ==
        std::vector<std::string>{"4294967294:4294967295"});
  CHECK_THROWS_AS(split_set(Numbers{1}, 20), std::invalid_argument);
}

TEST_CASE("A parsed set keeps the order in which it was sent") {
  const auto set = SequenceSet::parse("9:12,3,7:5", 10);
  REQUIRE(set);
  CHECK(numbers(*set) == Numbers{9, 10, 11, 12, 3, 5, 6, 7});
  CHECK(set->count() == 8);
  CHECK(set->contains(6));
  CHECK_FALSE(set->contains(4));
  CHECK(set->to_string() == "9:12,3,5:7");
}

TEST_CASE("A set over everything costs one range") {
  const auto set = SequenceSet::parse("1:4294967295", 1);
  REQUIRE(set);
  CHECK(set->count() == 4294967295u);
  CHECK(set->ranges().size() == 1);
  CHECK(set->contains(4294967295u));
}

TEST_CASE("Iteration ends after the highest number there is") {
  const auto set = SequenceSet::parse("4294967294:4294967295,1", 9);
  REQUIRE(set);
  CHECK(numbers(*set) == Numbers{4294967294u, 4294967295u, 1});
  CHECK(numbers(SequenceSet{}).empty());
}

TEST_CASE("Neighbours are joined, also across the order of adding") {
  SequenceSet set;
  for (const std::uint32_t number : {1u, 2u, 3u, 9u, 10u, 4u}) set.add(number);
  CHECK(set.to_string() == "1:3,9:10,4");
  set.add({5, 8});
  CHECK(set.to_string() == "1:3,9:10,4:8");
}

TEST_CASE("What is no set is refused") {
  for (const auto* text : {"", ",", "1,", ",1", "1:", ":1", "0", "1:0", "*", "1:*", "-1", "+1",
                           "1 ", " 1", "4294967296", "1;2", "1::2", "1:2:3", "a"}) {
    INFO(text);
    CHECK_FALSE(SequenceSet::parse(text, 100));
  }
  CHECK(SequenceSet::parse("1,3,5", 3));
  CHECK_FALSE(SequenceSet::parse("1,3,5", 2));
}
