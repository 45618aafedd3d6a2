#include "engine/settle/match.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace postferry;

namespace {

HeaderFields fields(const char* id, const char* subject, const char* received = nullptr) {
  HeaderFields out;
  if (id) out.message_id = id;
  if (subject) out.subject = subject;
  if (received) out.received = received;
  return out;
}

Likeness like(const HeaderFields& f, std::size_t index, std::uint64_t size = 100) {
  return likeness(f, size, InternalDate{1000, 0}, index);
}

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

}  // namespace

TEST_CASE("a fingerprint folds white space and reads 8-bit bytes as X") {
  CHECK(fingerprint(fields("<1>",
                           "Gr\xC3\xBC\xC3\x9F"
                           "e  aus\r\n Wien")) == fingerprint(fields("<1>", "GrXXXXe aus Wien")));
  CHECK(fingerprint(fields("<1>", "a")) != fingerprint(fields("<2>", "a")));
  CHECK(fingerprint(fields("<1>", nullptr)).fields == 1);
  CHECK(fingerprint(fields("a", nullptr)) != fingerprint(fields(nullptr, "a")));
}

TEST_CASE("one message on each side with a strong fingerprint is the same message") {
  const auto result = match_by_header({like(fields("<1>", "s"), 7, 100)},
                                      {like(fields("<1>", "s"), 42, 140)}, false);
  CHECK(result.pairs == Pairs{{7, 42}});
  CHECK(result.ambiguous.empty());
}

TEST_CASE("what is spoken for is known by its date and size, or its bytes") {
  const auto source = like(fields("<1>", "s"), 1, 100);
  auto target = like(fields("<1>", "s"), 2, 100);
  target.spoken_for = true;
  CHECK(match_by_header({source}, {target}, false).pairs == Pairs{{1, 2}});
  target.size_bytes = 140;
  const auto result = match_by_header({source}, {target}, false);
  CHECK(result.pairs.empty());
  REQUIRE(result.ambiguous.size() == 1);
  const Ambiguous& group = result.ambiguous[0];
  CHECK(match_by_bytes(group, {{1, sha256("a")}}, {{2, sha256("b")}}).empty());
  CHECK(match_by_bytes(group, {{1, sha256("a")}}, {{2, sha256("a")}}) == Pairs{{1, 2}});
  target.altered = true;  // on the way: neither can be
  CHECK(match_by_header({source}, {target}, false).pairs == Pairs{{1, 2}});
}

TEST_CASE("of a known look only equal bytes are the same") {
  const Likeness source = like(fields("<1>", "s"), 1), target = like(fields("<1>", "s"), 2);
  for (const bool known : {true, false}) {
    const Ambiguous group{{source}, {target}, known};
    CHECK(match_by_bytes(group, {{1, sha256("a")}}, {{2, sha256("b")}}).empty() == known);
    CHECK(match_by_bytes(group, {{1, sha256("a")}}, {{2, sha256("a")}}) == Pairs{{1, 2}});
  }
}

TEST_CASE("another delivery is another message") {
  const auto source = like(fields("<1>", "s", "from a by b; Mon"), 1),
             target = like(fields("<1>", "s", "from a by b; Tue"), 2);
  CHECK(match_by_header({source}, {target}, false).pairs.empty());
  CHECK(match_by_header({source}, {target}, true).pairs == Pairs{{1, 2}});
}

TEST_CASE("size and date only rank") {
  const auto result =
      match_by_header({like(fields("<1>", "s"), 1, 100)},
                      {like(fields("<1>", "s"), 10, 90), like(fields("<1>", "s"), 11, 100)}, false);
  CHECK(result.pairs == Pairs{{1, 11}});
}

TEST_CASE("with fewer than two fields bytes decide") {
  const auto result =
      match_by_header({like(fields(nullptr, "s"), 1)}, {like(fields(nullptr, "s"), 2)}, false);
  REQUIRE(result.ambiguous.size() == 1);
  CHECK(match_by_bytes(result.ambiguous[0], {{1, sha256("a")}}, {{2, sha256("b")}}).empty());
  CHECK(match_by_bytes(result.ambiguous[0], {{1, sha256("a")}}, {{2, sha256("a")}}) ==
        Pairs{{1, 2}});
}

TEST_CASE("without a Message-ID a look-alike of another size is told apart by its bytes") {
  HeaderFields alarm;
  alarm.from = "cron";
  alarm.subject = "alarm";
  const auto result = match_by_header({like(alarm, 1, 100)}, {like(alarm, 2, 140)}, false);
  CHECK(result.pairs.empty());
  CHECK(result.ambiguous.size() == 1);
  CHECK(match_by_header({like(alarm, 1, 100)}, {like(alarm, 2, 100)}, false).pairs ==
        Pairs{{1, 2}});
}

TEST_CASE("k copies match k copies") {
  std::vector<Likeness> source, target;
  std::map<std::size_t, Sha256> source_digests, target_digests;
  for (std::size_t i = 0; i < 3; ++i) {
    source.push_back(like(fields("<1>", "s"), i));
    source_digests[i] = sha256("same");
  }
  for (std::size_t i = 0; i < 2; ++i) {
    target.push_back(like(fields("<1>", "s"), 10 + i));
    target_digests[10 + i] = sha256("same");
  }
  const auto result = match_by_header(source, target, false);
  REQUIRE(result.ambiguous.size() == 1);
  CHECK(match_by_bytes(result.ambiguous[0], source_digests, target_digests) ==
        Pairs{{0, 10}, {1, 11}});
}

TEST_CASE("different messages with one header are told apart by their bytes") {
  const std::vector<Likeness> source{like(fields("<1>", "s"), 0), like(fields("<1>", "s"), 1)};
  const std::vector<Likeness> target{like(fields("<1>", "s"), 10)};
  const auto result = match_by_header(source, target, false);
  REQUIRE(result.ambiguous.size() == 1);
  CHECK(match_by_bytes(result.ambiguous[0], {{0, sha256("a")}, {1, sha256("b")}},
                       {{10, sha256("b")}}) == Pairs{{1, 10}});
  CHECK(
      match_by_bytes(result.ambiguous[0], {{0, sha256("a")}, {1, sha256("b")}}, {{10, sha256("c")}})
          .empty());
}

TEST_CASE("equal copies that a server altered still stand for the equal originals") {
  const std::vector<Likeness> source{like(fields("<1>", "s"), 0), like(fields("<1>", "s"), 1)};
  const std::vector<Likeness> target{like(fields("<1>", "s"), 10), like(fields("<1>", "s"), 11)};
  const auto result = match_by_header(source, target, false);
  REQUIRE(result.ambiguous.size() == 1);
  const auto pairs = match_by_bytes(result.ambiguous[0], {{0, sha256("a")}, {1, sha256("a")}},
                                    {{10, sha256("a+tuid")}, {11, sha256("a+tuid2")}});
  CHECK(pairs.size() == 2);
}

TEST_CASE("while more may come each of equal messages waits for the copy with its date") {
  const auto of = [](std::size_t index, std::int64_t seconds) {
    return likeness(fields("<1>", "s"), 5, InternalDate{seconds, 0}, index);
  };
  const std::vector<Likeness> source{of(0, 100), of(1, 200)};
  const std::vector<Likeness> target{of(10, 100), of(11, 100)};  // the second may be a late one
  const auto result = match_by_header(source, target, false);
  REQUIRE(result.ambiguous.size() == 1);
  Ambiguous group = result.ambiguous[0];
  const std::map<std::size_t, Sha256> sources{{0, sha256("a")}, {1, sha256("a")}};
  const std::string there = GENERATE("a", "altered");
  const std::map<std::size_t, Sha256> targets{{10, sha256(there)}, {11, sha256(there)}};
  group.more_may_come = true;
  CHECK(match_by_bytes(group, sources, targets) == Pairs{{0, 10}});
  group.more_may_come = false;
  CHECK(match_by_bytes(group, sources, targets).size() == 2);
  // A target that keeps no dates, or a source that has none: they can only be any of them.
  group.more_may_come = true;
  group.source[0].date.reset();
  CHECK(match_by_bytes(group, sources, targets).size() == 2);
}

TEST_CASE("of equal copies that a server altered each stands for the one of its date") {
  const auto of = [](std::size_t index, std::uint64_t size, std::int64_t seconds) {
    return likeness(fields("<1>", "s"), size, InternalDate{seconds, 0}, index);
  };
  const std::vector<Likeness> source{of(0, 5, 100), of(1, 5, 200)};
  const std::vector<Likeness> target{of(10, 5, 200), of(11, 6, 100)};
  const auto result = match_by_header(source, target, false);
  REQUIRE(result.ambiguous.size() == 1);
  auto pairs = match_by_bytes(result.ambiguous[0], {{0, sha256("a")}, {1, sha256("a")}},
                              {{10, sha256("b")}, {11, sha256("c")}});
  std::ranges::sort(pairs);
  CHECK(pairs == Pairs{{0, 11}, {1, 10}});
  // Whose bytes are not to be had any more may have been another; the date still tells.
  pairs = match_by_bytes(result.ambiguous[0], {{1, sha256("a")}},
                         {{10, sha256("b")}, {11, sha256("c")}});
  CHECK(pairs == Pairs{{1, 10}});
  Ambiguous other = result.ambiguous[0];
  other.target.erase(other.target.begin());
  CHECK(match_by_bytes(other, {{1, sha256("a")}}, {{11, sha256("c")}}).empty());
}

TEST_CASE(
    "deliveries of one mail are told apart by their Received where a server altered the bytes") {
  const HeaderFields direct = fields("<1>", "s", "from a by b; 1"),
                     by_list = fields("<1>", "s", "from list by b; 2");
  const std::vector<Likeness> source{like(direct, 0), like(by_list, 1)};
  const std::vector<Likeness> target{like(by_list, 10), like(direct, 11)};
  const auto result = match_by_header(source, target, false);
  REQUIRE(result.ambiguous.size() == 1);
  auto pairs = match_by_bytes(result.ambiguous[0], {{0, sha256("a")}, {1, sha256("b")}},
                              {{10, sha256("c")}, {11, sha256("d")}});
  std::ranges::sort(pairs);
  CHECK(pairs == Pairs{{0, 11}, {1, 10}});
}
