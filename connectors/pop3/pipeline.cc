#include "connectors/pop3/pipeline.h"

#include <utility>
#include <vector>

namespace postferry::pop3 {
namespace {

// What is under way costs us no memory, only the server's: these bound how far ahead it works. The
// commands of a whole window (24 KB) stay below what sockets buffer, so that neither side can block
// the other by writing.
constexpr std::size_t kWindowCommands = 2000;
constexpr std::uint64_t kWindowBytes = 32 << 20;
constexpr std::uint64_t kReplyOverhead = 64;

}  // namespace

Pipeline::Pipeline(Session& session, std::size_t count, Plan plan)
    : session_(session), count_(count), plan_(std::move(plan)) {}

Task<void> Pipeline::refill() {
  const std::size_t under_way = sent_ - answered_;
  if (!session_.capabilities.pipelining) {
    if (under_way > 0 || sent_ == count_) co_return;
    bytes_due_ += plan_.reply_bytes(sent_) + kReplyOverhead;
    co_await session_.send(plan_.command(sent_++));
    co_return;
  }
  // Half a window at a time, so that commands share packets.
  if (under_way > kWindowCommands / 2 || (under_way > 0 && bytes_due_ > kWindowBytes / 2))
    co_return;
  std::vector<Command> commands;
  while (sent_ < count_ && sent_ - answered_ < kWindowCommands &&
         (sent_ == answered_ || bytes_due_ < kWindowBytes)) {
    bytes_due_ += plan_.reply_bytes(sent_) + kReplyOverhead;
    commands.push_back(plan_.command(sent_++));
  }
  co_await session_.send_all(std::move(commands));
}

void Pipeline::answered() { bytes_due_ -= plan_.reply_bytes(answered_++) + kReplyOverhead; }

}  // namespace postferry::pop3
