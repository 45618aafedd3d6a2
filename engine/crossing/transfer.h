// The belt between a fetch and an append of one folder: takes messages in order, bounds the memory
// they hold, groups them into batches, and writes each batch's journal row before it goes out.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/async/event.h"
#include "engine/async/executor.h"
#include "engine/async/semaphore.h"
#include "engine/catalogue.h"
#include "engine/crossing/lost_dates.h"
#include "engine/journal.h"
#include "engine/observer.h"
#include "engine/pace.h"
#include "engine/room.h"
#include "engine/settle/settle.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry {

struct TransferRequest {
  Journal& journal;
  Observer& observer;
  Catalogue& catalogue;  // told of the flags that messages came with: they are newer
  std::vector<Standing>& standing;
  FolderRecord folder;
  TargetFolderId target_folder;
  std::uint32_t target_uid_validity = 0;
  Uid target_uid_next;  // when the transfer began
  TargetTraits traits;
  RunId run;
  Share& share;                   // of the room for bodies, asked for in advance or on the belt
  std::function<bool()> stop;     // asked for each message: nothing more is fetched
  std::function<bool()> give_up;  // and before each batch: nothing more is sent
  std::function<bool(const Message&)> wanted;    // for sources whose catalogue has no dates
  Pace* pace = nullptr;                          // of messages, if there is a limit
  const std::map<MessageKey, Repairs>& repairs;  // with which messages come
  std::string origin;                            // of its batches
  bool plain = false;                            // as AppendFeed::plain()
  std::function<void()> crawling = {};           // as MessageSink::crawling()
};

/// What the text of a failure begins with, if it is the source that cannot give the message.
constexpr std::string_view kSourceFailed = "source: ";

/// The text of a failure, if the target said that it took the message and gave no UID, and then no
/// message there is known as this one: another copy of it would be one too many, so it is held.
constexpr std::string_view kNotFoundAgain =
    "the target took the message, but it is not found there: it was changed beyond recognition, or "
    "moved away at once";

/// The same of a target that folds duplicates: there it is no harm to send it again.
constexpr std::string_view kFoldedUnseen =
    "the target took the message, and has probably folded it into an equal one: it tells no UID";

/// It tells one, and the folder does not show it.
constexpr std::string_view kFoldedElsewhere =
    "the target took the message, but its folder does not show it: it has probably folded it into "
    "an equal one that is elsewhere, perhaps in the trash";

/// Thrown through a fetch that is to stop. What has been sent is waited for.
struct StopTransfer {};

class Transfer final : public MessageSink, public AppendFeed {
 public:
  explicit Transfer(TransferRequest request);
  ~Transfer() { r_.share.give_up(held_); }
  /// It is over, for better or worse: what is still here is given up.
  void over() { r_.share.leave(std::exchange(held_, 0)); }

  // From the source.
  Task<void> message(Message message) override;
  Task<void> missing(MessageKey key, bool gone, std::string reason) override;
  Share* share() override { return &r_.share; }
  void waiting() override { source_waits_ = true, arrived_.set(); }
  void crawling() override {
    if (r_.crawling) r_.crawling();
  }
  /// No more will come.
  void close() { closed_ = true, arrived_.set(); }

  // To the target.
  Task<std::optional<Batch>> next() override;
  Task<void> done(Batch batch, std::vector<AppendResult> results) override;
  bool plain() const override { return r_.plain; }

  std::uint64_t bytes_copied() const { return bytes_copied_; }
  std::uint64_t appended() const { return appended_; }
  /// Of what was appended those that got no UID: the next settle must find them.
  const std::vector<MessageKey>& unnamed() const { return unnamed_; }
  /// On a target that folds duplicates, what was appended and got a UID: the copy that it names
  /// need not be in the folder.
  const std::vector<std::pair<MessageKey, Uid>>& named() const { return named_; }
  /// Of what was refused those that may be taken in the plainest form. They are still due.
  const std::vector<MessageKey>& for_plain() const { return for_plain_; }
  /// Of what was appended.
  const LostDates& lost_dates() const { return lost_dates_; }
  bool progressed() const { return appended_ + rejected_ + missing_ > 0; }
  /// The longest that a batch took from its row to its answer.
  Duration slowest_batch() const { return slowest_; }

 private:
  Task<void> leave_out(const Message& message);
  /// The flags that a message came with are newer than those of the listing.
  void note_flags(const Message& message);
  Task<MessageRow> row_for(const Message& message, Uid uid);
  Repairs repairs_of(const MessageKey& key) const;
  Task<bool> names_older(Uid uid, const std::vector<MessageRow>& fresh);
  Task<bool> wait_for_more();

  TransferRequest r_;
  std::deque<Message> belt_;
  bool closed_ = false;
  Event arrived_;           // something came onto the belt, or nothing will before there is room
  std::uint64_t held_ = 0;  // bytes on the belt and in unanswered batches
  bool source_waits_ = false;
  std::map<std::int64_t, TimePoint> sent_at_;
  std::vector<MessageKey> unnamed_, for_plain_;
  LostDates lost_dates_;
  std::vector<std::pair<MessageKey, Uid>> named_;
  Semaphore recording_{1};  // several sessions may be told at once
  Uid highest_;             // that may have been given before, as far as is known
  Duration slowest_{};
  std::uint64_t bytes_copied_ = 0, appended_ = 0, rejected_ = 0, missing_ = 0;
};

}  // namespace postferry
