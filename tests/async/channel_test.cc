// Channel: order, bounds, closing, cancelling.
#include "engine/async/channel.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "tests/async/async_test.h"

namespace postferry {
namespace {

TEST_CASE("values come out in the order they went in, and never more wait than fit") {
  ManualExecutor executor;
  Channel<std::unique_ptr<int>> channel(3);
  std::size_t most = 0;
  const auto producer = [&]() -> Task<void> {
    for (int i = 0; i < 1000; ++i) {
      co_await channel.push(std::make_unique<int>(i));
      most = std::max(most, channel.size());
    }
    channel.close();
  };
  const std::vector<int> popped =
      block_on(executor, with_group([&](TaskGroup& group) -> Task<std::vector<int>> {
                 group.spawn(producer());
                 std::vector<int> values;
                 while (auto value = co_await channel.pop()) values.push_back(**value);
                 co_return values;
               }));
  REQUIRE(popped.size() == 1000);
  for (int i = 0; i < 1000; ++i) REQUIRE(popped[static_cast<std::size_t>(i)] == i);
  CHECK(most == 3);
}

TEST_CASE("many producers and consumers lose nothing and double nothing") {
  ManualExecutor executor;
  Channel<int> channel(2);
  std::vector<int> seen(500, 0);
  const auto produce = [&](int first) -> Task<void> {
    for (int i = first; i < 500; i += 5) {
      co_await channel.push(i);
      if (i % 3 == 0) co_await yield();
    }
  };
  const auto consume = [&]() -> Task<void> {
    while (auto value = co_await channel.pop()) ++seen[static_cast<std::size_t>(*value)];
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             for (int i = 0; i < 3; ++i) group.spawn(consume());
             co_await with_group([&](TaskGroup& producers) -> Task<void> {
               for (int i = 0; i < 5; ++i) producers.spawn(produce(i));
               co_return;
             });
             channel.close();
           }));
  CHECK(seen == std::vector<int>(500, 1));
}

TEST_CASE("consumers that wait are served in the order they came") {
  ManualExecutor executor;
  Channel<int> channel(1);
  std::string log;
  const auto consume = [&](char name) -> Task<void> {
    const auto value = co_await channel.pop();
    log += name;
    log += static_cast<char>('0' + *value);
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             group.spawn(consume('a'));
             group.spawn(consume('b'));
             group.spawn(consume('c'));
             co_await sleep_for(1s);
             for (int i = 0; i < 3; ++i) co_await channel.push(i);
           }));
  CHECK(log == "a0b1c2");
}

TEST_CASE("close refuses pushes, also those that wait, and lets what is inside out") {
  ManualExecutor executor;
  Channel<int> channel(1);
  std::vector<bool> pushed;
  const auto push = [&](int value) -> Task<void> {
    const bool accepted = co_await channel.push(value);
    pushed.push_back(accepted);
  };
  const auto popped =
      block_on(executor, with_group([&](TaskGroup& group) -> Task<std::vector<std::optional<int>>> {
                 group.spawn(push(1));
                 group.spawn(push(2));
                 co_await sleep_for(1s);
                 channel.close();
                 channel.close();
                 co_await sleep_for(1s);
                 co_await push(3);
                 std::vector<std::optional<int>> values;
                 values.push_back(co_await channel.pop());
                 values.push_back(co_await channel.pop());
                 co_return values;
               }));
  CHECK(pushed == std::vector<bool>{true, false, false});
  CHECK(popped == std::vector<std::optional<int>>{1, std::nullopt});
}

TEST_CASE("close wakes every consumer that waits") {
  ManualExecutor executor;
  Channel<int> channel(1);
  int ended = 0;
  const auto consume = [&]() -> Task<void> {
    const auto value = co_await channel.pop();
    if (!value.has_value()) ++ended;
  };
  block_on(executor, with_group([&](TaskGroup& group) -> Task<void> {
             for (int i = 0; i < 3; ++i) group.spawn(consume());
             co_await sleep_for(1s);
             channel.close();
           }));
  CHECK(ended == 3);
}

TEST_CASE("try_pop takes what is there and makes room for a producer that waits") {
  ManualExecutor executor;
  Channel<int> channel(1);
  const std::string log = block_on(executor, with_group([&](TaskGroup& group) -> Task<std::string> {
                                     std::string seen =
                                         channel.try_pop().has_value() ? "value " : "empty ";
                                     group.spawn([&]() -> Task<void> {
                                       co_await channel.push(1);
                                       co_await channel.push(2);
                                     });
                                     co_await sleep_for(1s);
                                     while (auto value = channel.try_pop())
                                       seen += std::to_string(*value);
                                     co_return seen;
                                   }));
  CHECK(log == "empty 12");
}

TEST_CASE("a cancelled pop takes no value") {
  ManualExecutor executor;
  Channel<int> channel(1);
  CHECK_THROWS_AS(block_on(executor, with_timeout(1s, channel.pop())), TimedOut);
  block_on(executor, channel.push(1));
  CHECK(channel.size() == 1);
}

TEST_CASE("a cancelled push leaves no value behind, and those behind it move up") {
  ManualExecutor executor;
  Channel<int> channel(1);
  const auto values =
      block_on(executor, with_group([&](TaskGroup& group) -> Task<std::vector<int>> {
                 co_await channel.push(1);
                 group.spawn([&]() -> Task<void> {
                   try {
                     co_await with_timeout(1s, channel.push(2));
                   } catch (const TimedOut&) {
                   }
                 });
                 group.spawn([&]() -> Task<void> {
                   co_await yield();
                   co_await channel.push(3);
                 });
                 co_await sleep_for(2s);
                 std::vector<int> popped;
                 while (auto value = channel.try_pop()) popped.push_back(*value);
                 co_return popped;
               }));
  CHECK(values == std::vector<int>{1, 3});
}

TEST_CASE("a value that was handed over survives a cancel that comes before the consumer goes on") {
  ManualExecutor executor;
  Scope root(executor);
  Channel<int> channel(1);
  Task<std::optional<int>> pop = channel.pop().in(root);
  executor.post(pop.handle());
  executor.run_ready();
  Scope other(executor);
  Task<bool> push = channel.push(7).in(other);
  push.handle().resume();
  root.cancel();
  executor.run_ready();
  REQUIRE(pop.handle().done());
  CHECK(pop.handle().promise().take() == 7);
}

TEST_CASE("in a cancelled scope neither push nor pop touches the channel") {
  ManualExecutor executor;
  Scope root(executor);
  Channel<int> channel(2);
  block_on(root, channel.push(1));
  root.cancel();
  CHECK_THROWS_AS(block_on(root, channel.push(2)), Cancelled);
  CHECK_THROWS_AS(block_on(root, channel.pop()), Cancelled);
  CHECK(channel.size() == 1);
}

}  // namespace
}  // namespace postferry
