#include "engine/one_ahead.h"

#include <optional>
#include <string>
#include <utility>

#include "engine/error.h"

namespace postferry {

namespace {

class Keeper final : public MessageSink {
 public:
  Task<void> message(Message message) override {
    if (message.body.held()) {
      kept = std::move(message);
    } else if (message.body.streamed()) {
      message.body.pipe().close();
    }
    co_return;
  }
  Task<void> missing(MessageKey, bool, std::string) override { co_return; }

  std::optional<Message> kept;
};

/// One message that no journal needs to know of.
class OneMessage final : public AppendFeed {
 public:
  explicit OneMessage(Message message) {
    batch_.emplace();
    batch_->bytes = message.body.size_bytes();
    batch_->messages.push_back(std::move(message));
  }
  Task<std::optional<Batch>> next() override { co_return std::exchange(batch_, std::nullopt); }
  Task<void> done(Batch, std::vector<AppendResult> results) override {
    for (const AppendResult& result : results) {
      stored = std::holds_alternative<Stored>(result);
      if (const auto* refused = std::get_if<Rejected>(&result)) words = refused->text;
    }
    co_return;
  }

  bool stored = false;
  std::string words = "it was not sent";  // why not

 private:
  std::optional<Batch> batch_;
};

}  // namespace

Task<Removal> send_one_ahead(OneAheadRequest r) {
  Keeper keeper;
  const MessageKey key = r.original.key;
  std::vector<Catalogue::Entry> wanted;
  wanted.push_back(r.original);
  co_await r.source.fetch(std::move(wanted), keeper);
  if (!keeper.kept)
    throw Error(ErrorKind::transient, "the source does not give message " + key.to_string());
  const std::vector<TargetEntry> before = co_await r.target.look_at({r.copy});
  if (before.empty())
    throw Error(ErrorKind::transient, "the copy of message " + key.to_string() + " has just gone");
  keeper.kept->flags = before.front().flags;
  keeper.kept->date = before.front().date;
  Removal removal = co_await r.source.remove({key});
  if (removal.how != Removal::How::removed || removal.keys.empty()) co_return removal;
  co_await r.target.uid_next();  // what others did is seen now
  const std::vector<TargetEntry> after = co_await r.target.look_at({r.copy});
  if (!after.empty()) co_return removal;
  OneMessage feed(std::move(*keeper.kept));
  try {
    co_await r.target.append(feed);
  } catch (const Error& error) {
    feed.words = error.what();
  }
  throw Error(
      ErrorKind::rejected,
      "source and target are one mailbox under two names: message " + key.to_string() +
          " went from the target when it was removed from the source. " +
          (feed.stored ? "It has been put back" : "It could not be put back (" + feed.words + ")") +
          ", and nothing else is removed");
}

}  // namespace postferry
