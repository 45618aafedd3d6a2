#include "engine/crossing/repairing_source.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/async/task_group.h"

namespace postferry {

namespace {

class WholeSink final : public MessageSink {
 public:
  /// `out` outlives the group, and so the child that writes to it.
  WholeSink(TaskGroup& group, WholeMessage& out) : group_(group), out_(out) {}

  Task<void> message(Message message) override {
    if (message.body.streamed()) {
      group_.spawn(take(std::move(message), out_));
    } else {
      co_await take(std::move(message), out_);
    }
  }
  Task<void> missing(MessageKey, bool gone, std::string reason) override {
    out_.gone = gone;
    out_.reason = std::move(reason);
    co_return;
  }

 private:
  static Task<void> take(Message message, WholeMessage& out) {
    std::string bytes;
    co_await message.body.write_to([&bytes](std::string_view part) -> Task<void> {
      bytes += part;
      co_return;
    });
    message.body = Body(std::move(bytes));
    out.message = std::move(message);
  }

  TaskGroup& group_;
  WholeMessage& out_;
};

}  // namespace

Task<WholeMessage> fetch_whole(SourceSession& session, Catalogue::Entry entry) {
  WholeMessage out;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    WholeSink sink(group, out);
    std::vector<Catalogue::Entry> wanted{entry};
    co_await session.fetch(std::move(wanted), sink);
    co_await group.join();
  });
  co_return out;
}

Task<void> RepairingSession::fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) {
  std::vector<Catalogue::Entry> to_repair;
  std::erase_if(wanted, [&](const Catalogue::Entry& entry) {
    const auto at = repairs_.find(entry.key);
    if (at == repairs_.end() || !at->second) return false;
    to_repair.push_back(entry);
    return true;
  });
  if (!wanted.empty() || to_repair.empty()) co_await inner_.fetch(std::move(wanted), sink);
  for (const Catalogue::Entry& entry : to_repair) {
    WholeMessage whole = co_await fetch_whole(inner_, entry);
    if (!whole.message) {
      co_await sink.missing(entry.key, whole.gone, std::move(whole.reason));
      continue;
    }
    Message message = std::move(*whole.message);
    std::string bytes(message.body.bytes());
    message.body = Body();  // no third copy
    const Repairs repairs = repairs_.at(entry.key);
    message.body = Body(repaired(std::move(bytes), repairs));
    if (repairs.has(RepairStep::date)) message.date.reset();
    if (repairs.has(RepairStep::flags)) message.flags = {};
    co_await sink.message(std::move(message));
  }
}

}  // namespace postferry
