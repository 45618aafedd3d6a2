// Targets that tell another size or date than was stored: our copies are known all the same.
#include "tests/engine/crossing_fixture.h"

using namespace postferry;

namespace {

enum class Lie { size, date, both };

/// What has crossed, and of what the target tells otherwise.
struct Told : Pair {
  explicit Told(Lie lie, MemoryOptions target_options = {}) : Pair({}, std::move(target_options)) {
    fill("INBOX", 6);
    run();
    for (MemoryMessage& message : target.folder("INBOX").messages) {
      if (lie != Lie::date) message.listed_bytes = message.bytes.size() + 37;
      if (lie != Lie::size) message.date = InternalDate{5'000'000, 0};
    }
    run();
  }
};

MemoryOptions exchange() {
  MemoryOptions options;
  options.traits.regenerates = true;
  return options;
}

}  // namespace

TEST_CASE("deletions are mirrored on a target that tells sizes or dates of its own") {
  Told pair(GENERATE(Lie::size, Lie::date, Lie::both));
  pair.options.mirror_deletions = true;
  MemoryFolder& inbox = pair.source.folder("INBOX");
  inbox.remove(inbox.messages.at(1).uid);
  CHECK(pair.run().deleted() == 1);
  CHECK(pair.on_target("INBOX") == 5);
  CHECK(pair.run().deleted() == 0);
}

TEST_CASE("originals leave though the target tells sizes or dates of its own of their copies") {
  Told pair(GENERATE(Lie::size, Lie::date, Lie::both));
  pair.options.remove_after = std::chrono::days(0);
  CHECK(pair.run().removed() == 6);
  CHECK(pair.on_target("INBOX") == 6);
}

TEST_CASE("what a target makes anew is known by its header, and mirrored") {
  Told pair(Lie::both, exchange());
  MemoryFolder& there = pair.target.folder("INBOX");
  for (MemoryMessage& message : there.messages) message.bytes += "made anew";
  there.messages.front().bytes = letter("other");
  pair.options.mirror_deletions = true;
  MemoryFolder& inbox = pair.source.folder("INBOX");
  for (int i = 0; i < 3; ++i) inbox.remove(inbox.messages.front().uid);
  CHECK(pair.run().deleted() == 2);
  CHECK(there.messages.front().bytes == letter("other"));
  CHECK(pair.observer.said("1 message is gone from the source, but its copy is not"));
}

TEST_CASE(
    "another message of the same size and another date is not deleted, and takes no original") {
  Told pair(Lie::date);
  MemoryMessage& other = pair.target.folder("INBOX").messages.at(1);
  REQUIRE(letter("x1").size() == other.bytes.size());
  other.bytes = letter("x1");
  SECTION("mirrored") {
    pair.options.mirror_deletions = true;
    MemoryFolder& inbox = pair.source.folder("INBOX");
    inbox.remove(inbox.messages.at(1).uid);
    CHECK(pair.run().deleted() == 0);
    CHECK(pair.observer.said("left alone"));
  }
  SECTION("after the copy") {
    pair.options.remove_after = std::chrono::days(0);
    CHECK(pair.run().removed() == 5);
  }
  CHECK(pair.on_target("INBOX") == 6);
}
