// TaskGroup: nothing outlives the block, and the first failure ends it.
#include "engine/async/task_group.h"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/async/channel.h"
#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

// Sleeps, and writes how that ended.
Task<void> sleeper(Duration duration, std::string& log, char name) {
  try {
    co_await sleep_for(duration);
    log += name;
  } catch (const Cancelled&) {
    log += '!';
    log += name;
    throw;
  }
}

Task<void> fails_after(Duration duration, std::string what) {
  co_await sleep_for(duration);
  throw std::runtime_error(what);
}

TEST_CASE("a group without children yields what its body returns") {
  ManualExecutor executor;
  CHECK(block_on(executor, with_group([](TaskGroup&) -> Task<int> { co_return 4; })) == 4);
}

TEST_CASE("children run beside each other and beside the body") {
  ManualExecutor executor;
  const TimePoint start = executor.now();
  std::string log;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(sleeper(3s, log, 'c'));
             group.spawn(sleeper(1s, log, 'a'));
             group.spawn(sleeper(2s, log, 'b'));
             log += '-';
             co_return;
           }));
  CHECK(log == "-abc");
  CHECK(executor.now() == start + 3s);
}

TEST_CASE("spawn keeps a lambda alive as long as its child") {
  ManualExecutor executor;
  std::string log;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             for (int i = 0; i < 3; ++i) {
               group.spawn([&log, text = std::to_string(i)]() -> Task<void> {
                 co_await sleep_for(1s);
                 log += text;
               });
             }
             co_return;
           }));
  CHECK(log == "012");
}

TEST_CASE("join waits for children and for what they spawn") {
  ManualExecutor executor;
  std::string log;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn([&]() -> Task<void> {
               co_await sleep_for(1s);
               group.spawn(sleeper(1s, log, 'b'));
               log += 'a';
             });
             co_await group.join();
             log += '.';
             group.spawn(sleeper(1s, log, 'c'));
             co_await group.join();
             log += '.';
           }));
  CHECK(log == "ab.c.");
}

TEST_CASE(
    "the first failure cancels the siblings and the body, and is thrown when all have ended") {
  ManualExecutor executor;
  const TimePoint start = executor.now();
  std::string log;
  const auto body = [&](TaskGroup& group) -> Task<int> {
    group.spawn(sleeper(1h, log, 'a'));
    group.spawn(fails_after(2s, "first"));
    group.spawn(fails_after(3s, "second"));
    group.spawn(sleeper(1s, log, 'b'));
    co_await sleeper(1h, log, 'x');
    co_return 1;
  };
  CHECK_THROWS_WITH(block_on(executor, with_group(body)), "first");
  CHECK(log.size() == 5);
  CHECK(log.find("!a") != std::string::npos);
  CHECK(log.find("!x") != std::string::npos);
  CHECK(executor.now() == start + 2s);
}

TEST_CASE("a failure that follows a cancel does not hide the first one") {
  ManualExecutor executor;
  const auto fails_on_the_way_out = []() -> Task<void> {
    try {
      co_await sleep_for(1h);
    } catch (const Cancelled&) {
      throw std::logic_error("on the way out");
    }
  };
  const auto body = [&](TaskGroup& group) -> Task<void> {
    group.spawn(fails_on_the_way_out());
    group.spawn(fails_after(1s, "first"));
    co_return;
  };
  CHECK_THROWS_WITH(block_on(executor, with_group(body)), "first");
}

TEST_CASE("when the body fails, the children are cancelled and waited for") {
  ManualExecutor executor;
  std::string log;
  const auto slow_to_end = [&]() -> Task<void> {
    try {
      co_await sleep_for(1h);
    } catch (const Cancelled&) {
    }
    co_await shielded(sleep_for(5s));
    log += "ended";
  };
  const auto body = [&](TaskGroup& group) -> Task<void> {
    group.spawn(slow_to_end());
    co_await sleep_for(1s);
    throw std::runtime_error("body");
  };
  CHECK_THROWS_WITH(block_on(executor, with_group(body)), "body");
  CHECK(log == "ended");
}

TEST_CASE("join throws the failure of a child in the body") {
  ManualExecutor executor;
  std::string log;
  const auto body = [&](TaskGroup& group) -> Task<void> {
    group.spawn(fails_after(1s, "child"));
    group.spawn(sleeper(1h, log, 'a'));
    try {
      co_await group.join();
    } catch (const std::runtime_error&) {
      log += "caught";
      throw;
    }
  };
  CHECK_THROWS_WITH(block_on(executor, with_group(body)), "child");
  CHECK(log == "!acaught");
}

TEST_CASE("a group that cancels itself ends in peace") {
  ManualExecutor executor;
  std::string log;
  const int value = block_on(executor, with_group([&](TaskGroup& group) -> Task<int> {
                               group.spawn(sleeper(1h, log, 'a'));
                               group.spawn(sleeper(1s, log, 'b'));
                               co_await sleep_for(2s);
                               group.cancel();
                               co_await group.join();
                               co_return 8;
                             }));
  CHECK(value == 8);
  CHECK(log == "b!a");
}

TEST_CASE("a body that its own cancel cuts short just ends, if it has nothing to yield") {
  ManualExecutor executor;
  bool went_on = false;
  const auto cut_short = [&](TaskGroup& group) -> Task<void> {
    group.cancel();
    co_await yield();
    went_on = true;
  };
  const auto cut_short_of_a_value = [&](TaskGroup& group) -> Task<int> {
    group.cancel();
    co_await yield();
    co_return 1;
  };
  block_on(executor, with_group(cut_short));
  CHECK_FALSE(went_on);
  CHECK_THROWS_AS(block_on(executor, with_group(cut_short_of_a_value)), Cancelled);
}

TEST_CASE("a child may cancel its own group") {
  ManualExecutor executor;
  std::string log;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(sleeper(1h, log, 'a'));
             group.spawn([&]() -> Task<void> {
               co_await sleep_for(1s);
               group.cancel();
             });
             co_await group.join();
             log += '.';
           }));
  CHECK(log == "!a.");
}

TEST_CASE("a Cancelled that nobody's cancel caused is a failure") {
  ManualExecutor executor;
  std::string log;
  const auto body = [&](TaskGroup& group) -> Task<void> {
    group.spawn([]() -> Task<void> {
      co_await sleep_for(1s);
      throw Cancelled();
    });
    group.spawn(sleeper(1h, log, 'a'));
    co_await group.join();
  };
  CHECK_THROWS_AS(block_on(executor, with_group(body)), Cancelled);
  CHECK(log == "!a");
}

TEST_CASE("a cancel from outside reaches the children and is thrown when all have ended") {
  ManualExecutor executor;
  Scope root(executor);
  std::string log;
  executor.start_timer(executor.now() + 1s, [&] { root.cancel(); });
  const auto body = [&](TaskGroup& group) -> Task<void> {
    group.spawn(sleeper(1h, log, 'a'));
    group.spawn([&]() -> Task<void> {
      co_await shielded(sleeper(5s, log, 'b'));
      co_await check_cancelled();
    });
    co_await group.join();
    log += "not reached";
  };
  CHECK_THROWS_AS(block_on(root, with_group(body)), Cancelled);
  CHECK(log == "!ab");
}

TEST_CASE("what was finished in spite of a cancel from outside keeps its value") {
  ManualExecutor executor;
  Scope root(executor);
  executor.start_timer(executor.now() + 1s, [&] { root.cancel(); });
  const auto body = [](TaskGroup& group) -> Task<int> {
    group.spawn(shielded(sleep_for(2s)));
    co_await group.join();
    co_return 6;
  };
  CHECK(block_on(root, with_group(body)) == 6);
}

TEST_CASE("nested groups: a failure inside ends the inner group, then the outer one") {
  ManualExecutor executor;
  std::string log;
  const auto inner = [&](TaskGroup& group) -> Task<void> {
    group.spawn(sleeper(1h, log, 'i'));
    group.spawn(fails_after(1s, "inside"));
    co_return;
  };
  const auto outer = [&](TaskGroup& group) -> Task<void> {
    group.spawn(sleeper(1h, log, 'o'));
    group.spawn(with_group(inner));
    co_return;
  };
  CHECK_THROWS_WITH(block_on(executor, with_group(outer)), "inside");
  CHECK(log == "!i!o");
}

TEST_CASE("nested groups: a failure that the outer body catches leaves its children alone") {
  ManualExecutor executor;
  std::string log;
  const auto inner = [&](TaskGroup& group) -> Task<void> {
    group.spawn(sleeper(1h, log, 'i'));
    group.spawn(fails_after(1s, "inside"));
    co_return;
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(sleeper(2s, log, 'o'));
             try {
               co_await with_group(inner);
             } catch (const std::runtime_error&) {
               log += 'c';
             }
           }));
  CHECK(log == "!ico");
}

TEST_CASE("children that are spawned into a cancelled group end at their first wait") {
  ManualExecutor executor;
  const TimePoint start = executor.now();
  std::string log;
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.cancel();
             group.spawn(sleeper(1h, log, 'a'));
             group.spawn(shielded(sleeper(1s, log, 'b')));
             co_return;
           }));
  CHECK(log == "!ab");
  CHECK(executor.now() == start + 1s);
}

TEST_CASE("the frames of children are freed as they end, not when the group does") {
  ManualExecutor executor;
  int live = 0;
  int peak = 0;
  const auto child = [](Live) -> Task<void> { co_await yield(); };
  const int spawned = block_on(executor, with_group([&](TaskGroup& group) -> Task<int> {
                                 for (int i = 0; i < 200'000; ++i) {
                                   group.spawn(child(Live(live, &peak)));
                                   while (group.size() >= 8) co_await yield();
                                 }
                                 co_await group.join();
                                 co_return live;
                               }));
  CHECK(spawned == 0);
  CHECK(peak <= 10);
}

TEST_CASE("a task that waits in join can be cancelled from outside, and waits all the same") {
  ManualExecutor executor;
  Scope root(executor);
  std::string log;
  const auto stubborn = [&]() -> Task<void> {
    try {
      co_await sleep_for(1h);
    } catch (const Cancelled&) {
    }
    co_await shielded(sleep_for(10s));
    log += "child ";
    co_await check_cancelled();
  };
  executor.start_timer(executor.now() + 1s, [&] { root.cancel(); });
  const auto body = [&](TaskGroup& group) -> Task<void> {
    group.spawn(stubborn());
    try {
      co_await group.join();
    } catch (const Cancelled&) {
      log += "join";
      throw;
    }
  };
  CHECK_THROWS_AS(block_on(root, with_group(body)), Cancelled);
  CHECK(log == "child join");
}

// What a simulated crash does to a running world.
struct Crash {};

TEST_CASE("an exception of the loop destroys a running tree from the inside out") {
  int live = 0;
  const auto child = [](Live, Channel<int>& channel) -> Task<void> {
    co_await with_timeout(1h, channel.pop());
  };
  {
    ManualExecutor executor;
    Channel<int> channel(1);
    executor.start_timer(executor.now() + 5s, [] { throw Crash(); });
    const auto body = [&](TaskGroup& group) -> Task<void> {
      for (int i = 0; i < 10; ++i) group.spawn(child(Live(live), channel));
      group.spawn(sleep_for(1h));
      co_await with_group([&](TaskGroup& inner) -> Task<void> {
        inner.spawn(child(Live(live), channel));
        co_await inner.join();
      });
    };
    CHECK_THROWS_AS(block_on(executor, with_group(body)), Crash);
    CHECK(live == 0);
    executor.clear();
    CHECK(executor.idle());
  }
}

}  // namespace
}  // namespace postferry
