// LIST in three stages, from what is advertised down to what RFC 3501 demands.
#include "connectors/imap/folders.h"

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "connectors/imap/codec/lexer.h"
#include "connectors/imap/gmail.h"
#include "engine/async/event.h"
#include "engine/async/task_group.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kMaxFolders = 500'000;

std::string status_items(const Capabilities& capabilities, Numbers wanted) {
  std::string items = "(MESSAGES UIDNEXT UIDVALIDITY";
  const bool tracks = capabilities.has("CONDSTORE") || capabilities.has("QRESYNC");
  if (tracks && wanted == Numbers::with_modseq) items += " HIGHESTMODSEQ";
  return items + ")";
}

// A server that has no time refuses everything; that is no reason to ask more simply.
void throw_unless_refused(Session& session, const StatusResponse& status) {
  const ErrorKind kind = judge_read(status).kind;
  if (kind == ErrorKind::rejected || kind == ErrorKind::protocol) return;
  throw session.refused(status, "LIST");
}

bool offers(const Session& session, std::string_view extension) {
  return session.capabilities.has(extension) || session.capabilities.has("IMAP4REV2");
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

// What was listed, in order, each wire name once.
class Lister::Listing {
 public:
  bool overfull() const { return entries_.size() > kMaxFolders; }

  void take(Response& response) {
    if (auto* listed = std::get_if<ListData>(&response)) {
      if (listed->kind == ListData::Kind::kLsub) {
        subscribed_.insert_or_assign(key(listed->name), true);
      } else if (!listed->name.empty()) {  // the root, asked for its delimiter, is no folder
        add(std::move(*listed));
      }
    } else if (const auto* status = std::get_if<StatusData>(&response)) {
      early_numbers_.insert_or_assign(key(status->name), numbers_of(*status));
    }
  }

  const std::deque<ListData>& entries() const { return entries_; }

  std::vector<FolderInfo> finish(FolderNames& names, const Capabilities& offered) {
    std::vector<ListedName> listing;
    for (const ListData& data : entries_) listing.push_back({name_in(data), data.delimiter});
    names.learn(std::move(listing));
    std::vector<FolderInfo> folders;
    for (const ListData& data : entries_) {
      const auto name = names.find(name_in(data));
      if (!name) continue;
      FolderInfo folder;
      folder.name = *name;
      folder.role = role_of(data, *name);
      folder.holds_rest = holds_rest(offered, folder.role);
      folder.selectable = data.selectable();
      folder.subscribed = data.has("\\Subscribed") || subscribed_.contains(key(data.name));
      const auto numbers = early_numbers_.find(key(data.name));
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

  static std::string name_in(const ListData& data) {
    return data.has("\\Inbox") ? "INBOX" : data.name;
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
      entries_.push_back(std::move(data));
      return;
    }
    auto& known = entries_[place->second].attributes;
    for (std::string& attribute : data.attributes) known.push_back(std::move(attribute));
  }

  std::deque<ListData> entries_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, bool> subscribed_;
  std::map<std::string, FolderNumbers> early_numbers_;
};

Lister::Lister(Session& session, Numbers wanted)
    : session_(session), wanted_(wanted), listing_(std::make_unique<Listing>()) {}
Lister::~Lister() = default;

Task<void> Lister::ask() {
  const bool status = offers(session_, "LIST-STATUS");
  return send(status || offers(session_, "LIST-EXTENDED"), status);
}

void Lister::take(Response& response) { listing_->take(response); }

Task<void> Lister::send(bool extended, bool status) {
  extended_ = extended;
  with_status_ = status;
  const bool returns_subscribed = extended && offers(session_, "LIST-EXTENDED");
  const bool special_use = session_.capabilities.has("SPECIAL-USE");
  std::string options;
  if (returns_subscribed) options = special_use ? "SUBSCRIBED SPECIAL-USE" : "SUBSCRIBED";
  if (status)
    options +=
        (options.empty() ? "" : " ") + ("STATUS " + status_items(session_.capabilities, wanted_));
  const bool xlist = !extended && session_.capabilities.has("XLIST") && !special_use;
  CommandBuilder list = session_.command(xlist ? "XLIST" : "LIST").raw("\"\" \"*\"");
  if (extended) list.raw("RETURN (" + options + ")");
  list_ = co_await session_.send(list.finish());
  lsub_.clear();
  if (returns_subscribed) co_return;
  lsub_ = co_await session_.send(session_.command("LSUB").raw("\"\" \"*\"").finish());
}

Task<bool> Lister::accepted() {
  const auto take = [this](Response& response) { listing_->take(response); };
  const StatusResponse listed = co_await session_.finish(list_, take);
  if (!lsub_.empty()) {
    // Without LSUB nothing is known to be subscribed; that loses no mail.
    const StatusResponse subscribed = co_await session_.finish(lsub_, take);
    if (subscribed.status != Status::kOk) throw_unless_refused(session_, subscribed);
  }
  if (listed.status == Status::kOk) co_return true;
  if (!extended_) throw session_.refused(listed, "LIST");
  throw_unless_refused(session_, listed);
  listing_->clear();
  co_return false;
}

Task<std::vector<FolderInfo>> Lister::answer(FolderNames& names) {
  for (;;) {
    const bool listed = co_await accepted();
    if (listed) break;
    co_await send(with_status_ && offers(session_, "LIST-EXTENDED"), false);
  }
  if (listing_->overfull())
    throw session_.error(ErrorKind::protocol, "too many folders are listed");
  if (!with_status_) co_await ask_status();
  co_return listing_->finish(names, session_.capabilities);
}

// One volley: the answers are read while the commands go out.
Task<void> Lister::ask_status() {
  const std::string items = status_items(session_.capabilities, wanted_);
  std::deque<Command> waiting;  // names with a literal that must wait: one by one
  std::deque<std::string> tags;
  bool sent_all = false;
  Event sent;
  const auto finish = [&](std::string tag) -> Task<void> {
    const StatusResponse status = co_await session_.finish(
        std::move(tag), [this](Response& response) { listing_->take(response); });
    // What ails one folder shows when it is opened; that we ask too much concerns them all.
    if (status.status != Status::kOk && judge_read(status).kind == ErrorKind::throttled)
      throw session_.refused(status, "STATUS");
  };
  const auto send_all = [&]() -> Task<void> {
    for (const ListData& data : listing_->entries()) {
      if (!data.selectable()) continue;
      Command command = session_.command("STATUS").string(data.name).raw(items).finish();
      if (command.pieces.size() > 1) {
        waiting.push_back(std::move(command));
      } else {
        tags.push_back(co_await session_.send(std::move(command)));
        sent.set();
      }
    }
    sent_all = true;
    sent.set();
  };
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn(send_all());
    for (;;) {
      while (tags.empty() && !sent_all) {
        sent.reset();
        co_await sent.wait();
      }
      if (tags.empty()) break;
      std::string tag = std::move(tags.front());
      tags.pop_front();
      co_await finish(std::move(tag));
    }
    co_await group.join();
  });
  for (Command& command : waiting) {
    std::string tag = co_await session_.send(std::move(command));
    co_await finish(std::move(tag));
  }
}

Task<std::vector<FolderInfo>> list_folders(Session& session, FolderNames& names, Numbers wanted) {
  Lister lister(session, wanted);
  co_await lister.ask();
  co_return co_await lister.answer(names);
}

}  // namespace postferry::imap
