// LIST in three stages, from what is advertised down to what RFC 3501 demands.
#include "connectors/imap/folders.h"

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "connectors/imap/codec/lexer.h"
#include "connectors/imap/codec/mod_utf7.h"

namespace postferry::imap {
namespace {

// Answers of at most this many STATUS commands wait in the sockets' buffers at once.
constexpr std::size_t kStatusWindow = 50;
constexpr std::size_t kMaxFolders = 500'000;

struct Entry {
  ListData data;
  std::optional<FolderNumbers> numbers;
};

// What was listed, in order, each wire name once.
class Listing {
 public:
  bool overfull() const { return entries_.size() > kMaxFolders; }

  void take(Response& response) {
    if (auto* listed = std::get_if<ListData>(&response)) {
      if (listed->kind == ListData::Kind::kLsub) {
        subscribed_.insert_or_assign(key(listed->name), true);
      } else {
        add(std::move(*listed));
      }
    } else if (const auto* status = std::get_if<StatusData>(&response)) {
      early_numbers_.insert_or_assign(key(status->name), numbers_of(*status));
    }
  }

  std::deque<Entry>& entries() { return entries_; }

  std::vector<FolderInfo> finish(FolderNames& names) {
    std::vector<FolderInfo> folders;
    for (Entry& entry : entries_) {
      const std::string wire = entry.data.has("\\Inbox") ? "INBOX" : entry.data.name;
      const auto name = names.learn(wire, entry.data.delimiter);
      if (!name) continue;
      FolderInfo folder;
      folder.name = *name;
      folder.role = role_of(entry.data, *name);
      folder.selectable = entry.data.selectable();
      folder.subscribed =
          entry.data.has("\\Subscribed") || subscribed_.contains(key(entry.data.name));
      const auto numbers = early_numbers_.find(key(entry.data.name));
      if (numbers != early_numbers_.end()) folder.numbers = numbers->second;
      folders.push_back(std::move(folder));
    }
    return folders;
  }

  void clear() { *this = Listing(); }

 private:
  // INBOX may be spelled one way in LIST and another in STATUS.
  static std::string key(const std::string& wire) {
    return same_ascii(wire, "INBOX") ? "INBOX" : wire;
  }

  static Role role_of(const ListData& data, const FolderName& name) {
    if (name.is_inbox()) return Role::inbox;
    const std::string_view use = data.special_use();
    if (use == "\\All") return Role::all;
    if (use == "\\Archive") return Role::archive;
    if (use == "\\Drafts") return Role::drafts;
    if (use == "\\Flagged") return Role::flagged;
    if (use == "\\Important" || data.has("\\Important")) return Role::important;
    if (use == "\\Junk") return Role::junk;
    if (use == "\\Sent") return Role::sent;
    if (use == "\\Trash") return Role::trash;
    return Role::none;
  }

  void add(ListData data) {
    const auto [place, fresh] = index_.emplace(key(data.name), entries_.size());
    if (fresh) {
      if (overfull()) return;
      entries_.push_back({std::move(data), std::nullopt});
      return;
    }
    auto& known = entries_[place->second].data.attributes;
    for (std::string& attribute : data.attributes) known.push_back(std::move(attribute));
  }

  std::deque<Entry> entries_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, bool> subscribed_;
  std::map<std::string, FolderNumbers> early_numbers_;
};

std::string status_items(const Capabilities& capabilities, Numbers wanted) {
  std::string items = "(MESSAGES UIDNEXT UIDVALIDITY";
  const bool tracks = capabilities.has("CONDSTORE") || capabilities.has("QRESYNC");
  if (tracks && wanted == Numbers::with_modseq) items += " HIGHESTMODSEQ";
  return items + ")";
}

// A server that has no time refuses everything; that is no reason to ask more simply.
void throw_unless_refused(Session& session, const StatusResponse& status) {
  const ErrorKind kind = judge(status).kind;
  if (kind == ErrorKind::rejected || kind == ErrorKind::protocol) return;
  throw session.refused(status, "LIST");
}

// True if the server took it. `with_status` asks for the numbers in the same breath.
Task<bool> list_extended(Session& session, Listing& listing, bool with_status, Numbers wanted) {
  const Capabilities& offered = session.capabilities;
  const bool extended = offered.has("LIST-EXTENDED") || offered.has("IMAP4REV2");
  std::string options;
  if (extended) options = "SUBSCRIBED";
  if (extended && offered.has("SPECIAL-USE")) options += " SPECIAL-USE";
  if (with_status)
    options += (options.empty() ? "" : " ") + ("STATUS " + status_items(offered, wanted));
  const auto take = [&listing](Response& response) { listing.take(response); };

  std::string list = co_await session.send(
      session.command("LIST").raw("\"\" \"*\" RETURN (" + options + ")").finish());
  std::string lsub;
  if (!extended) lsub = co_await session.send(session.command("LSUB").raw("\"\" \"*\"").finish());
  const StatusResponse listed = co_await session.finish(list, take);
  if (!lsub.empty()) co_await session.finish(lsub, take);
  if (listed.status == Status::kOk) co_return true;
  throw_unless_refused(session, listed);
  listing.clear();
  co_return false;
}

Task<void> list_plain(Session& session, Listing& listing) {
  const bool xlist = session.capabilities.has("XLIST") && !session.capabilities.has("SPECIAL-USE");
  const auto take = [&listing](Response& response) { listing.take(response); };
  std::string list =
      co_await session.send(session.command(xlist ? "XLIST" : "LIST").raw("\"\" \"*\"").finish());
  std::string lsub = co_await session.send(session.command("LSUB").raw("\"\" \"*\"").finish());
  co_await session.succeed(list, xlist ? "XLIST" : "LIST", take);
  // Without LSUB nothing is known to be subscribed; that loses no mail.
  const StatusResponse subscribed = co_await session.finish(lsub, take);
  if (subscribed.status != Status::kOk) throw_unless_refused(session, subscribed);
}

Task<void> ask_status(Session& session, Listing& listing, Numbers wanted) {
  const std::string items = status_items(session.capabilities, wanted);
  const auto take = [&listing](Response& response) { listing.take(response); };
  std::deque<std::string> tags;
  const auto finish_one = [&]() -> Task<void> {
    std::string tag = std::move(tags.front());
    tags.pop_front();
    const StatusResponse status = co_await session.finish(std::move(tag), take);
    if (status.status != Status::kOk) throw_unless_refused(session, status);
  };
  for (Entry& entry : listing.entries()) {
    if (!entry.data.selectable()) continue;
    Command command = session.command("STATUS").string(entry.data.name).raw(items).finish();
    const bool alone = command.pieces.size() > 1;
    while (tags.size() >= kStatusWindow || (alone && !tags.empty())) co_await finish_one();
    tags.push_back(co_await session.send(std::move(command)));
  }
  while (!tags.empty()) co_await finish_one();
}

}  // namespace

FolderNumbers numbers_of(const StatusData& status) {
  FolderNumbers numbers;
  if (status.uid_validity && *status.uid_validity <= UINT32_MAX) {
    numbers.uid_validity = static_cast<std::uint32_t>(*status.uid_validity);
  }
  if (status.uid_next && *status.uid_next <= UINT32_MAX && *status.uid_next > 0) {
    numbers.uid_next = static_cast<std::uint32_t>(*status.uid_next);
  }
  numbers.messages = status.messages;
  numbers.highest_modseq = status.highest_modseq;
  numbers.size_bytes = status.size;
  return numbers;
}

Task<std::vector<FolderInfo>> list_folders(Session& session, FolderNames& names, Numbers wanted) {
  Listing listing;
  const Capabilities& offered = session.capabilities;
  const bool extended = offered.has("LIST-EXTENDED") || offered.has("IMAP4REV2");
  const bool status = offered.has("LIST-STATUS") || offered.has("IMAP4REV2");
  bool listed = false;
  bool numbered = false;
  if (status) listed = numbered = co_await list_extended(session, listing, true, wanted);
  if (!listed && extended) listed = co_await list_extended(session, listing, false, wanted);
  if (!listed) co_await list_plain(session, listing);
  if (listing.overfull()) throw session.error(ErrorKind::protocol, "too many folders are listed");
  if (!numbered) co_await ask_status(session, listing, wanted);
  co_return listing.finish(names);
}

}  // namespace postferry::imap
