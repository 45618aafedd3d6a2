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

constexpr const char* kStore = "UID STORE";
constexpr const char* kExpunge = "UID EXPUNGE";

/// A command that is under way, by its tag, and what to call it.
struct Sent {
  std::string tag;
  const char* name;
};

Task<void> succeed_all(Session& session, std::vector<Sent>& sent) {
  std::optional<Error> refused;
  for (const Sent& one : std::exchange(sent, {})) {
    const StatusResponse status = co_await session.finish(one.tag);
    if (status.status != Status::kOk && !refused)
      refused = refusal(status, judge(status), one.name, session.where());
  }
  if (refused) throw *refused;
}

struct Change {
  Command command;
  const char* name;
};

/// One of each set, with an EXPUNGE behind it if that is wanted.
void add_changes(std::vector<Change>& changes, Session& session,
                 const std::vector<std::uint32_t>& uids, const std::string& change,
                 bool then_expunge) {
  for (const std::string& set : split_set(uids, session.quirks.command_octets / 2)) {
    changes.push_back({session.command(kStore).raw(set).raw(change).finish(), kStore});
    if (then_expunge) changes.push_back({session.command(kExpunge).raw(set).finish(), kExpunge});
  }
}

Task<void> change_in_parts(Party& party, std::vector<Change> changes, std::size_t at_once) {
  for (std::size_t at = 0; at < changes.size(); at += at_once) {
    const std::size_t end = std::min(at + at_once, changes.size());
    std::vector<Command> part;
    for (std::size_t i = at; i < end; ++i) part.push_back(std::move(changes[i].command));
    const std::vector<StatusResponse> answers = co_await party.change_all(std::move(part));
    for (std::size_t i = 0; i < answers.size(); ++i)
      if (answers[i].status != Status::kOk)
        throw refusal(answers[i], judge(answers[i]), changes[at + i].name, party.session().where());
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
  std::vector<Sent> sent;
  for (const std::string& set : split_set(uids, session.quirks.command_octets / 2)) {
    std::string tag = co_await session.send(
        session.command(kStore).raw(set).raw(item + " (" + flags + ")").finish());
    sent.push_back({std::move(tag), kStore});
    if (then_expunge) {
      std::string expunge = co_await session.send(session.command(kExpunge).raw(set).finish());
      sent.push_back({std::move(expunge), kExpunge});
    }
    if (sent.size() >= kStoresInFlight) co_await succeed_all(session, sent);
  }
  co_await succeed_all(session, sent);
}

Task<void> store_all(Party& party, std::vector<FlagStore> changes, std::uint64_t& dropped) {
  std::vector<Change> commands;
  for (FlagStore& change : changes) {
    std::uint64_t of_each = 0;
    const Flags storable = party.folder().storable(change.flags, of_each);
    const CheckedFlags checked = check_flags(storable.names());
    of_each += checked.refused.size();
    if (change.add) dropped += of_each * change.uids.size();
    std::string names;
    for (const std::string& flag : checked.sendable) names += (names.empty() ? "" : " ") + flag;
    if (names.empty()) continue;
    add_changes(commands, party.session(), sorted(std::move(change.uids)),
                (change.add ? "+FLAGS.SILENT (" : "-FLAGS.SILENT (") + names + ")", false);
  }
  co_await change_in_parts(party, std::move(commands), kSilentInFlight);
}

Task<void> expunge_all(Party& party, std::vector<Uid> uids, bool expunges) {
  std::vector<Change> commands;
  add_changes(commands, party.session(), sorted(std::move(uids)), "+FLAGS.SILENT (\\Deleted)",
              expunges);
  co_await change_in_parts(party, std::move(commands), kStoresInFlight);
}

}  // namespace postferry::imap
