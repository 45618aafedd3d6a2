#include "connectors/imap/store.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "connectors/imap/codec/append.h"
#include "connectors/imap/errors.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kStoresInFlight = 4;
constexpr std::size_t kSilentInFlight = 16;  // that are answered by a line

Task<void> succeed_all(Session& session, std::vector<std::string>& tags) {
  std::optional<StatusResponse> refused;
  for (const std::string& tag : std::exchange(tags, {})) {
    const StatusResponse status = co_await session.finish(tag);
    if (status.status != Status::kOk && !refused) refused = status;
  }
  if (refused) throw refusal(*refused, judge(*refused), "STORE", session.where());
}

/// One of each set, with an EXPUNGE behind it if that is wanted.
void add_commands(std::vector<Command>& commands, Session& session,
                  const std::vector<std::uint32_t>& uids, const std::string& change,
                  bool then_expunge) {
  for (const std::string& set : split_set(uids, session.quirks.command_octets / 2)) {
    commands.push_back(session.command("UID STORE").raw(set).raw(change).finish());
    if (then_expunge) commands.push_back(session.command("UID EXPUNGE").raw(set).finish());
  }
}

Task<void> change_in_parts(Party& party, std::vector<Command> commands, std::size_t at_once) {
  std::optional<StatusResponse> refused;
  for (std::size_t at = 0; at < commands.size(); at += at_once) {
    const auto begin = commands.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t count = std::min(at_once, commands.size() - at);
    std::vector<Command> part(std::make_move_iterator(begin),
                              std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
    for (StatusResponse& status : co_await party.change_all(std::move(part)))
      if (status.status != Status::kOk && !refused) refused = std::move(status);
    if (refused) throw refusal(*refused, judge(*refused), "STORE", party.session().where());
  }
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

Task<void> store_all(Party& party, std::vector<FlagStore> changes, std::uint64_t& dropped) {
  std::vector<Command> commands;
  for (FlagStore& change : changes) {
    std::uint64_t of_each = 0;
    const Flags storable = party.folder().storable(change.flags, of_each);
    const CheckedFlags checked = check_flags(storable.names());
    of_each += checked.refused.size();
    if (change.add) dropped += of_each * change.uids.size();
    std::string names;
    for (const std::string& flag : checked.sendable) names += (names.empty() ? "" : " ") + flag;
    if (names.empty()) continue;
    add_commands(commands, party.session(), sorted(std::move(change.uids)),
                 (change.add ? "+FLAGS.SILENT (" : "-FLAGS.SILENT (") + names + ")", false);
  }
  co_await change_in_parts(party, std::move(commands), kSilentInFlight);
}

Task<void> expunge_all(Party& party, std::vector<Uid> uids, bool expunges) {
  std::vector<Command> commands;
  add_commands(commands, party.session(), sorted(std::move(uids)), "+FLAGS.SILENT (\\Deleted)",
               expunges);
  co_await change_in_parts(party, std::move(commands), kStoresInFlight);
}

}  // namespace postferry::imap
