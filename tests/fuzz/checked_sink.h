// Takes what a fetch yields, and holds it to the port's word: each key that was asked for ends in
// exactly one call, and a body has its length.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/async/task_group.h"
#include "engine/source.h"
#include "tests/fuzz/fuzzed_server.h"

namespace postferry::fuzz {

class CheckedSink final : public MessageSink {
 public:
  CheckedSink(TaskGroup& group, const std::vector<MessageKey>& wanted)
      : group_(group), due_(wanted.begin(), wanted.end()) {}

  Task<void> message(Message message) override {
    require(due_.erase(message.key) == 1);
    // A streamed body is filled only after this returns.
    if (message.body.streamed()) {
      group_.spawn(read(std::move(message.body)));
      co_return;
    }
    co_await read(std::move(message.body));
  }
  Task<void> missing(MessageKey key, bool, std::string words) override {
    require(due_.erase(key) == 1 && words.find('\x1b') == words.npos);
    co_return;
  }
  bool complete() const { return due_.empty(); }

 private:
  static Task<void> read(Body body) {
    std::uint64_t size = 0;
    co_await body.write_to([&size](std::string_view bytes) -> Task<void> {
      size += bytes.size();
      co_return;
    });
    require(size == body.size_bytes());
  }

  TaskGroup& group_;
  std::multiset<MessageKey> due_;
};

/// `fetch(sink)`, and all that it owes.
template <class Fetch>
Task<void> fetch_checked(std::vector<MessageKey> keys, Fetch fetch) {
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    CheckedSink sink(group, keys);
    co_await fetch(sink);
    require(sink.complete());
    co_await group.join();
  });
}

}  // namespace postferry::fuzz
