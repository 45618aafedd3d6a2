#include "engine/settle/strangers.h"

#include <catch2/catch.hpp>

using namespace postferry;

namespace {

Catalogue listing(const std::vector<std::uint32_t>& uids) {
  Catalogue out;
  for (const std::uint32_t uid : uids)
    out.add(MessageKey(Uid{uid}), 100 + uid, InternalDate{uid, 60}, Flags::parse("\\Seen"));
  return out;
}

Likeness like(const char* id, std::size_t index, const char* received = nullptr) {
  HeaderFields fields;
  fields.message_id = id;
  fields.subject = "s";
  if (received) fields.received = received;
  return likeness(fields, 0, std::nullopt, index);
}

}  // namespace

TEST_CASE("a catalogue keeps sizes, dates and flags as they were told, whatever they are") {
  Catalogue catalogue;
  const InternalDate early{-62'135'596'800, -12 * 60}, late{253'402'300'799, 14 * 60};
  catalogue.add(MessageKey(Uid{7}), Catalogue::kLargest, early, Flags::parse("\\Seen $Junk"));
  catalogue.add(MessageKey(Uid{4'294'967'295}), 0, late, {});
  catalogue.add(MessageKey(Uid{8}), ~std::uint64_t{0}, std::nullopt, Flags::parse("\\Draft"));
  catalogue.sort();
  REQUIRE(catalogue.size() == 3);
  CHECK(catalogue[0].key == MessageKey(Uid{7}));
  CHECK(catalogue[0].size_bytes == Catalogue::kLargest);
  CHECK(catalogue[0].date == early);
  CHECK(*catalogue[0].flags == Flags::parse("\\Seen $Junk"));
  CHECK(catalogue[1].key == MessageKey(Uid{8}));
  CHECK(catalogue[1].size_bytes == Catalogue::kLargest);
  CHECK(catalogue[1].date == std::nullopt);
  CHECK(catalogue[2].date == late);
  CHECK(catalogue[2].flags->empty());
}

TEST_CASE("of what a server lists twice a catalogue has the last, in its place") {
  Catalogue catalogue = listing({5, 3, 9});
  catalogue.add(MessageKey(Uid{3}), 33, std::nullopt, {});
  catalogue.sort();
  REQUIRE(catalogue.size() == 3);
  CHECK(catalogue.uid(0) == Uid{3});
  CHECK(catalogue.size_bytes(0) == 33);
  CHECK(catalogue.find(MessageKey(Uid{9})) == 2);
  CHECK(!catalogue.find(MessageKey(Uid{4})));
  CHECK(catalogue.from(Uid{4}) == 1);
  catalogue.update(1, 55, std::nullopt, Flags::parse("\\Flagged"));
  CHECK(catalogue.size_bytes(1) == 55);
  CHECK(catalogue[1].date == InternalDate{5, 60});
  CHECK(*catalogue[1].flags == Flags::parse("\\Flagged"));
}

TEST_CASE("what is kept of a likeness tells what the whole one told") {
  Likeness whole = like("<1>", 7, "from a by b");
  whole.spoken_for = true;
  const BriefLikeness brief(whole);
  const Likeness back = brief.whole(listing({4})[0], 7);
  CHECK(back.print == BriefLikeness(like("<1>", 9)).print());
  CHECK(back.print != BriefLikeness(like("<2>", 9)).print());
  CHECK(back.print.fields == whole.print.fields);
  CHECK(back.delivery == static_cast<std::uint32_t>(*whole.delivery));
  CHECK(back.identified);
  CHECK(back.spoken_for);
  CHECK(back.size_bytes == 104);
  CHECK(BriefLikeness(like("<1>", 9)).whole(listing({4})[0], 9).delivery == std::nullopt);
}

TEST_CASE("strangers that come later find their places, and all keep what is known of them") {
  Strangers strangers;
  strangers.add(listing({10, 30}));
  strangers.set_likeness(1, like("<30>", 30));
  strangers.speak_for(1, true);
  strangers.take(0);
  strangers.add(listing({5, 20, 40}));
  REQUIRE(strangers.size() == 5);
  CHECK(strangers.place(Uid{10}));
  CHECK(!strangers.find(Uid{10}));
  REQUIRE(strangers.find(Uid{30}) == 3);
  CHECK(strangers.spoken_for(3));
  CHECK(strangers.entry(3).size_bytes == 130);
  CHECK(strangers.likeness(3).index == 30);
  CHECK(strangers.from(Uid{21}) == 3);
}

TEST_CASE("strangers are found by their look until they are somebody's") {
  Strangers strangers;
  strangers.add(listing({1, 2, 3, 4}));
  const Fingerprint print = BriefLikeness(like("<a>", 0)).print();
  CHECK(strangers.alike(print).empty());
  for (const std::size_t at : {3u, 0u}) strangers.set_likeness(at, like("<a>", at));
  strangers.set_likeness(1, like("<b>", 1));
  CHECK(strangers.alike(print) == std::vector<std::size_t>{0, 3});
  strangers.take(0);
  CHECK(strangers.alike(print) == std::vector<std::size_t>{3});
  strangers.take(3);
  strangers.take(3);
  CHECK(strangers.alike(print, Strangers::Which::taken) == std::vector<std::size_t>{0, 3});
  CHECK(strangers.alike(print).empty());
  CHECK(!strangers.empty());
}
