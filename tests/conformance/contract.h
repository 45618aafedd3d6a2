// What the contracts of sources and targets share: sample mail, and a sink that keeps what it gets.
// Must not know any connector.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/async/block_on.h"
#include "engine/async/task_group.h"
#include "engine/async/timeout.h"
#include "engine/error.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry::conformance {

struct Sample {
  std::string bytes;
  Flags flags;
  InternalDate date;
};

inline std::string message_text(const std::string& subject, const std::string& body) {
  return "Message-ID: <" + subject +
         "@example.org>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
         "From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: " +
         subject + "\r\n\r\n" + body;
}

/// Mail that every server takes unaltered, and on which a careless client trips.
inline std::vector<Sample> samples() {
  std::vector<Sample> samples;
  const auto add = [&samples](std::string bytes, std::vector<std::string> flags,
                              std::int64_t seconds, int zone_minutes) {
    Sample sample;
    sample.bytes = std::move(bytes);
    for (const std::string& flag : flags) sample.flags.add(flag);
    sample.date = {seconds, static_cast<std::int16_t>(zone_minutes)};
    samples.push_back(std::move(sample));
  };
  add(message_text("plain", "Hello.\r\n"), {}, 1'700'000'000, 0);
  add(message_text("empty", ""), {"\\Seen"}, 1'600'000'001, 330);
  add(message_text("no-line-end", "no line end"), {"\\Answered", "\\Flagged"}, 1'500'000'002, -210);
  add(message_text("dots", ".\r\n..\r\n.a\r\n\r\n.\r\n"), {"\\Seen", "\\Draft"}, 400'000'000, 0);
  add(message_text("looks-like-a-reply", "* OK {5}\r\na1 OK done)\r\n+OK\r\n-ERR\r\n"),
      {"\\Seen", "\\Answered", "\\Flagged", "\\Draft"}, 1'709'251'199, 840);
  add(message_text("long-line", std::string(12'000, 'x') + "\r\n"), {}, 1'700'000'005, -720);
  add(message_text("8-bit",
                   "Gr\xc3\xbc\xc3\x9f"
                   "e \xff\xfe\x80\r\n"),
      {}, 1'700'000'006, 60);
  add(message_text("same", "twin\r\n"), {}, 1'700'000'007, 0);
  add(message_text("same", "twin\r\n"), {}, 1'700'000'007, 0);
  add("Subject: no message-id\r\n folded\r\n\tagain\r\n\r\nbody\r\n", {"\\Seen"}, 1'700'000'008, 0);
  return samples;
}

/// Larger than what is held in memory, so that it is streamed or spooled.
inline std::string large_message(std::size_t bytes = kHoldLimit * 2 + 12'345) {
  std::string text = message_text("large", "");
  while (text.size() < bytes) {
    text += std::to_string(text.size()) + std::string(60, 'L') + "\r\n";
  }
  return text;
}

/// What a fetch gave.
struct Fetched {
  struct One {
    MessageKey key;
    Flags flags;
    std::optional<InternalDate> date;
    std::uint64_t announced_bytes = 0;
    std::string bytes;
  };
  std::deque<One> messages;  // in the order of arrival
  std::vector<std::pair<MessageKey, bool>> missing;
};

/// Keeps everything; reads streamed bodies in tasks of the group while the source fills them.
class KeepingSink final : public MessageSink {
 public:
  KeepingSink(TaskGroup& group, Fetched& fetched, Duration pause = {})
      : group_(group), fetched_(fetched), pause_(pause) {}

  Task<void> message(Message message) override {
    if (pause_ > Duration::zero()) co_await sleep_for(pause_);
    Fetched::One& one = fetched_.messages.emplace_back();
    one.key = message.key;
    one.flags = message.flags;
    one.date = message.date;
    one.announced_bytes = message.body.size_bytes();
    group_.spawn(read(message.body, one));
  }
  Task<void> missing(MessageKey key, bool gone, std::string) override {
    fetched_.missing.emplace_back(key, gone);
    co_return;
  }

 private:
  static Task<void> read(Body body, Fetched::One& one) {
    co_await body.write_to([&one](std::string_view bytes) -> Task<void> {
      one.bytes += bytes;
      co_return;
    });
  }

  TaskGroup& group_;
  Fetched& fetched_;
  Duration pause_;
};

/// `fetch(sink)` into a keeping sink, to the end of every body.
template <class Fetch>
Task<Fetched> fetch_and_keep(Fetch fetch, Duration pause = {}) {
  Fetched fetched;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    KeepingSink sink(group, fetched, pause);
    co_await fetch(sink);
    co_await group.join();
  });
  co_return fetched;
}

}  // namespace postferry::conformance
