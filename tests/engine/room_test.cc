// The room for messages, shared by the lanes of an account.
#include "engine/room.h"

#include <catch2/catch.hpp>

#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"

using namespace postferry;

TEST_CASE("a half of the memory is room for all, whatever the lanes need") {
  CHECK(room_for_all(1000, 8) == 500);
  CHECK(room_for_all(48u << 20, 1) > room_for_all(48u << 20, 8));
}

TEST_CASE("a lane alone may have all of the room, one of several a half") {
  Room room(1000);
  Share one(room);
  CHECK(one.reserve(1000));
  one.unreserve(1000);
  Share other(room);
  CHECK_FALSE(one.reserve(501));
  CHECK(one.reserve(500));
  CHECK(other.reserve(500));
  one.unreserve(500);
  other.unreserve(500);
}

TEST_CASE("what one lane gives back another may have") {
  Room room(1000);
  Share one(room), other(room), third(room);
  CHECK(one.reserve(500));
  CHECK(other.reserve(400));
  CHECK_FALSE(third.reserve(200));
  one.unreserve(500);
  CHECK(third.reserve(200));
}

TEST_CASE("a lane's only message is let in though there is no room, the next one waits for some") {
  ManualExecutor executor;
  Room room(1000);
  Share full(room), lane(room);
  block_on(executor, full.admit(500));
  bool first = false, second = false;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn([&]() -> Task<void> {
               co_await lane.admit(900);
               first = true;
               co_await lane.admit(10);
               second = true;
             });
             co_await sleep_for(std::chrono::seconds(1));
             CHECK(first);
             CHECK_FALSE(second);
             lane.leave(900);
             co_await group.join();
           }));
  CHECK(second);
}

TEST_CASE("what a lane gives up another may have") {
  ManualExecutor executor;
  Room room(1000);
  Share lane(room), other(room);
  block_on(executor, lane.admit(800));
  CHECK(other.reserve(300));
  block_on(executor, other.admit(1));
  CHECK_FALSE(other.admits(300));
  lane.give_up(800);
  CHECK(other.admits(300));
}

TEST_CASE("what comes before its turn waits while anything that is here can leave, and no longer") {
  ManualExecutor executor;
  Room room(1000);
  Share full(room), lane(room);
  block_on(executor, full.admit(900));
  bool kept = false;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn([&]() -> Task<void> {
               co_await lane.keep(200);
               kept = true;
             });
             co_await sleep_for(std::chrono::seconds(1));
             CHECK_FALSE(kept);
             full.leave(900);
             co_await group.join();
           }));
  CHECK(kept);
  block_on(executor, lane.keep(900));  // nobody else is here
  block_on(executor, full.admit(1));
  CHECK_FALSE(full.admits(1));
  lane.unkeep(1100);
  CHECK(full.admits(499));
}
