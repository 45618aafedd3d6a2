// The counter over which a fetch hands messages to the lanes of a relay.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "engine/async/channel.h"
#include "engine/crossing/transfer.h"
#include "engine/source.h"

namespace postferry {

/// Holds as many messages as there are lanes, which bounds memory.
class RelayCounter final : public MessageSink {
 public:
  using Missing = std::function<Task<void>(MessageKey, bool, std::string)>;
  RelayCounter(std::size_t lanes, std::function<bool()> stop, std::function<bool()> stop_at_once,
               Missing missing, std::function<void()> crawling)
      : channel_(lanes),
        stop_(std::move(stop)),
        stop_at_once_(std::move(stop_at_once)),
        missing_(std::move(missing)),
        crawling_(std::move(crawling)) {}

  Task<void> message(Message message) override {
    // What a stream would bring has not been fetched yet.
    const bool streamed = message.body.streamed();
    if (stop_at_once_() || (streamed && stop_())) throw StopTransfer{};
    Message copy = message;  // shares the body
    const bool taken = co_await channel_.push(std::move(message));
    if (!taken) give_up(copy);
    if (!taken || (!streamed && stop_())) throw StopTransfer{};
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    co_await missing_(std::move(key), gone, std::move(reason));
  }

  void crawling() override { crawling_(); }

  Task<std::optional<Message>> next() { return channel_.pop(); }
  void close() { channel_.close(); }
  /// Nobody reads any more: what is here or comes is given up, so that the source does not wait.
  void abandon() {
    channel_.close();
    while (const std::optional<Message> message = channel_.try_pop()) give_up(*message);
  }
  static void give_up(const Message& message) {
    if (message.body.streamed()) message.body.pipe().close();
  }

 private:
  Channel<Message> channel_;
  std::function<bool()> stop_, stop_at_once_;
  Missing missing_;
  std::function<void()> crawling_;
};

}  // namespace postferry
