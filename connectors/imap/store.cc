#include "connectors/imap/store.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace postferry::imap {
namespace {

constexpr std::size_t kStoresInFlight = 4;

Task<void> succeed_all(Session& session, std::vector<std::string>& tags) {
  std::optional<StatusResponse> refused;
  for (const std::string& tag : std::exchange(tags, {})) {
    const StatusResponse status = co_await session.finish(tag);
    if (status.status != Status::kOk && !refused) refused = status;
  }
  if (refused) throw session.refused(*refused, "STORE");
}

}  // namespace

std::vector<std::uint32_t> sorted(std::vector<Uid> uids) {
  std::ranges::sort(uids);
  const auto repeats = std::ranges::unique(uids);
  uids.erase(repeats.begin(), repeats.end());
  std::vector<std::uint32_t> numbers;
  for (const Uid uid : uids) numbers.push_back(uid.value);
  return numbers;
}

Task<void> store_in_sets(Session& session, std::vector<std::uint32_t> uids, std::string item,
                         std::string flags, bool then_expunge) {
  if (flags.empty()) co_return;
  std::vector<std::string> tags;
  for (const std::string& set : split_set(uids, session.quirks.command_octets / 2)) {
    tags.push_back(co_await session.send(
        session.command("UID STORE").raw(set).raw(item + " (" + flags + ")").finish()));
    if (then_expunge) {
      tags.push_back(co_await session.send(session.command("UID EXPUNGE").raw(set).finish()));
    }
    if (tags.size() >= kStoresInFlight) co_await succeed_all(session, tags);
  }
  co_await succeed_all(session, tags);
}

}  // namespace postferry::imap
