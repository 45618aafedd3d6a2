#include "engine/crossing/sending.h"

#include <algorithm>

#include "engine/async/task_group.h"
#include "engine/crossing/transfer.h"

namespace postferry {

namespace {

class Sending {
 public:
  explicit Sending(SendingRequest request)
      : r_(std::move(request)), crossing_(r_.crossing), belt_(transfer_request()) {}

  Task<Sent> run() {
    std::exception_ptr failure;
    try {
      co_await with_group([this](TaskGroup& group) -> Task<void> {
        group.spawn(fetch());
        co_await append();
        if (crossing_.stop()) {
          sent_.stopped = true;
          group.cancel();  // the source may be in the middle of a message
        }
      });
    } catch (const Error&) {
      failure = std::current_exception();
    }
    belt_.over();
    Standings& standings = r_.standings;
    for (const MessageKey& key : belt_.for_plain())
      if (const auto index = standings.catalogue.find(key)) standings.plain.insert(*index);
    crossing_.windows.lost_dates.add(belt_.lost_dates());
    sent_.appended = belt_.appended();
    sent_.bytes_copied = belt_.bytes_copied();
    sent_.progressed = belt_.progressed();
    sent_.slowest_batch = belt_.slowest_batch();
    sent_.unnamed = belt_.unnamed();
    sent_.named = belt_.named();
    if (!sent_.failure) sent_.failure = failure;
    co_return std::move(sent_);
  }

 private:
  TransferRequest transfer_request() {
    Standings& standings = r_.standings;
    const auto first =
        r_.wanted.empty() ? std::nullopt : standings.catalogue.find(r_.wanted.front().key);
    return {crossing_.ends.journal,
            crossing_.ends.observer,
            standings.catalogue,
            standings.standing,
            r_.folder,
            r_.target_folder,
            r_.target_uid_validity,
            r_.target_uid_next,
            traits(),
            crossing_.run,
            crossing_.share,
            crossing_.stop,
            crossing_.give_up,
            [this](const Message& message) { return crossing_.options.wants(0, message.date); },
            crossing_.ends.pace,
            standings.repairs,
            crossing_.source_identity + '\0' + r_.folder.source.to_string(),
            first && standings.plain.contains(*first),
            [this] { crossing_.windows.tell_crawl(crossing_.ends.observer, r_.folder.source); }};
  }

  /// Whether further sessions are to help.
  bool crowded() const {
    return crossing_.crew && r_.wanted.size() > crossing_.options.alone_up_to;
  }

  TargetTraits traits() const {
    TargetTraits traits = crossing_.target.traits();
    traits.batch_messages = std::min(traits.batch_messages, r_.batch_messages);
    // Several batches for each session, so that all come to the end at about the same time.
    if (crowded())
      traits.batch_messages = std::clamp<std::size_t>(
          r_.wanted.size() / (4 * crossing_.crew->sessions()), 1, traits.batch_messages);
    return traits;
  }

  /// What was fetched before the source failed still goes out.
  Task<void> fetch() {
    try {
      co_await r_.source.fetch(r_.wanted, belt_);
    } catch (const StopTransfer&) {
      sent_.stopped = true;
    } catch (const Error&) {
      sent_.failure = std::current_exception();
    }
    belt_.close();
  }

  Task<void> append() {
    const std::uint64_t dropped = crossing_.target.flags_dropped();
    Crew::Work work{crossing_.folder.target, r_.target_uid_validity, 0, 0};
    if (crowded())
      work.helpers =
          std::min(crossing_.crew->sessions() - 1,
                   r_.wanted.size() / std::max<std::size_t>(1, crossing_.options.alone_up_to));
    std::exception_ptr failure;
    try {
      co_await (work.helpers > 0 ? crossing_.crew->append(crossing_.target, belt_, work)
                                 : crossing_.target.append(belt_));
    } catch (const Error&) {
      failure = std::current_exception();
    }
    sent_.flags_dropped = crossing_.target.flags_dropped() - dropped + work.flags_dropped;
    if (failure) std::rethrow_exception(failure);
  }

  SendingRequest r_;
  const FolderCrossingRequest& crossing_;
  Sent sent_;
  Transfer belt_;
};

}  // namespace

Task<Sent> send(SendingRequest request) {
  Sending sending(std::move(request));
  co_return co_await sending.run();
}

}  // namespace postferry
