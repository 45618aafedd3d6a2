#include "engine/removal/one_ahead.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/async/scope.h"
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

/// One message of a batch that is in the journal already.
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
      if (const auto* stored = std::get_if<Stored>(&result)) uid = stored->uid;
      if (const auto* refused = std::get_if<Rejected>(&result)) words = refused->text;
    }
    co_return;
  }

  Uid uid;
  std::string words = "it gives that no UID of its own";  // why there is none

 private:
  std::optional<Batch> batch_;
};

class OneAheadTrial {
 public:
  explicit OneAheadTrial(OneAheadRequest request) : r_(std::move(request)) {}

  Task<OneAhead> run() {
    if (!r_.target.traits().uidplus)
      co_return OneAhead{{}, "the target has no UIDPLUS, by which one of two copies could go"};
    Message message = co_await read();
    OneMessage feed(std::move(message));
    co_await r_.target.append(feed);
    const Uid second = feed.uid;
    if (second < next_) {  // none, or an older message that stands for it
      co_await close({});
      co_return OneAhead{{}, "the target takes no second copy: " + feed.words};
    }
    Removal removal = co_await r_.source.remove({r_.original.key});
    const bool stayed = co_await is_there(r_.copy);
    if (!stayed) {
      co_await close({});
      throw Error(ErrorKind::rejected,
                  "source and target are one mailbox under two names: message " +
                      r_.original.key.to_string() +
                      " went from the target when it was removed from the source. A copy was put "
                      "there before, as UID " +
                      std::to_string(second.value) + ", and nothing else is removed");
    }
    co_await r_.target.expunge({second});
    // Where nobody else added anything, there is nothing to be looked at.
    co_await close(second == next_ ? std::optional(Uid{second.value + 1}) : std::nullopt);
    co_return OneAhead{std::move(removal), {}};
  }

 private:
  /// With the flags and the date of its copy, and its batch written down.
  Task<Message> read() {
    const MessageKey& key = r_.original.key;
    Keeper keeper;
    std::vector<Catalogue::Entry> wanted{r_.original};
    co_await r_.source.fetch(std::move(wanted), keeper);
    if (!keeper.kept)
      throw Error(ErrorKind::transient, "the source does not give message " + key.to_string());
    const std::vector<TargetEntry> copy = co_await r_.target.look_at({r_.copy});
    if (copy.empty())
      throw Error(ErrorKind::transient,
                  "the copy of message " + key.to_string() + " has just gone");
    Message message = std::move(*keeper.kept);
    message.flags = copy.front().flags;
    message.date = copy.front().date;
    next_ = co_await r_.target.uid_next();
    const TargetFolderRecord known = co_await r_.journal.target_folder(r_.folder.target_folder);
    OpenBatch batch;
    batch.folder = r_.folder.id;
    batch.uid_validity = known.uid_validity.value_or(0);
    batch.uid_next = next_;
    batch.keys = {key};
    batch.flags = {message.flags};
    batch.opened_at = unix_time((co_await current_scope()).executor());
    batch.run = r_.run;
    batch_ = co_await r_.journal.open_batch(r_.folder.target_folder, std::move(batch));
    co_await r_.journal.make_durable();
    co_return message;
  }

  Task<bool> is_there(Uid uid) {
    co_await r_.target.uid_next();  // what others did is seen now
    const std::vector<TargetEntry> there = co_await r_.target.look_at({uid});
    co_return !there.empty();
  }

  Task<void> close(std::optional<Uid> uid_next_seen) {
    Record record;
    record.folder = r_.folder.id;
    record.target_folder = r_.folder.target_folder;
    record.close_batches = {batch_};
    record.uid_next_seen = uid_next_seen;
    co_await r_.journal.record(std::move(record));
  }

  OneAheadRequest r_;
  Uid next_;  // the target's UIDNEXT before
  std::int64_t batch_ = 0;
};

}  // namespace

Task<OneAhead> send_one_ahead(OneAheadRequest request) {
  OneAheadTrial trial(std::move(request));
  co_return co_await trial.run();
}

}  // namespace postferry
