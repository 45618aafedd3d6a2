// UID FETCH of what a target folder holds.
#include "connectors/imap/look.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "connectors/imap/scan.h"
#include "connectors/imap/store.h"

namespace postferry::imap {
namespace {

constexpr int kMaxPages = 100'000;    // of a server that cuts its answers short
constexpr std::size_t kInFlight = 4;  // commands
constexpr const char* kLookItems = " (UID FLAGS INTERNALDATE RFC822.SIZE)";

// Collects what a target folder holds from a UID on.
class Look {
 public:
  explicit Look(Uid from) : from_(std::max(from.value, 1u)) {}

  std::uint32_t from() const { return from_; }
  void expect(std::uint64_t messages) { listed_.reserve(messages); }

  void take(const Response& response) {
    const auto* fetch = std::get_if<FetchData>(&response);
    // `n:*` gives the last message even when it lies below n.
    if (!fetch || !fetch->uid || *fetch->uid < from_) return;
    const std::optional<InternalDate> date = date_of(fetch->internal_date);
    if (fetch->rfc822_size && date && fetch->flags) {
      if (!parts_.empty()) parts_.erase(*fetch->uid);
      listed_.add(MessageKey(Uid{*fetch->uid}), *fetch->rfc822_size, date, flags_of(*fetch->flags));
      return;
    }
    Part& part = parts_[*fetch->uid];
    if (fetch->rfc822_size) part.size_bytes = *fetch->rfc822_size;
    if (date) part.date = date;
    if (fetch->flags) part.flags = flags_of(*fetch->flags);
  }

  // What is still to be asked for where the server cut its answer short.
  std::optional<std::string> rest_after(const StatusResponse& status) const {
    const auto limit =
        status.has(Code::kMessageLimit) ? code_message_limit(*status.code) : std::nullopt;
    if (!limit || !limit->uid || *limit->uid <= from_) return std::nullopt;
    return fmt::format("{}:{}", from_, *limit->uid - 1);
  }

  Catalogue finish() {
    listed_.sort();
    std::erase_if(parts_, [this](const auto& one) {
      const auto& [uid, part] = one;
      const auto at = listed_.find(MessageKey(Uid{uid}));
      if (at) listed_.update(*at, part.size_bytes, part.date, part.flags);
      return at.has_value();
    });
    for (const auto& [uid, part] : parts_)
      listed_.add(MessageKey(Uid{uid}), part.size_bytes.value_or(0), part.date,
                  part.flags.value_or(Flags{}));
    listed_.sort();
    return std::move(listed_);
  }

 private:
  // What a response told that did not have all: somebody changed flags, or the server cannot say
  // the rest.
  struct Part {
    std::optional<std::uint64_t> size_bytes;
    std::optional<InternalDate> date;
    std::optional<Flags> flags;
  };

  const std::uint32_t from_;
  Catalogue listed_;
  std::map<std::uint32_t, Part> parts_;
};

/// Both, and where both have a message what was found.
Catalogue joined(Catalogue all, const Catalogue& found) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Catalogue::Entry entry = found[i];
    all.add(entry.key, entry.size_bytes, entry.date, *entry.flags);
  }
  all.sort();
  return all;
}

std::vector<TargetEntry> one_by_one(const Catalogue& listed) {
  std::vector<TargetEntry> entries;
  entries.reserve(listed.size());
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const Catalogue::Entry entry = listed[i];
    entries.push_back({entry.key.uid(), entry.size_bytes, entry.date, *entry.flags});
  }
  return entries;
}

}  // namespace

Task<Catalogue> catalogue_from(Party& party, Uid from) {
  Session& session = party.session();
  Look look(from);
  if (look.from() == 1) look.expect(session.exists());
  const auto take = [&look](Response& response) { look.take(response); };
  const auto ask = [&](const std::string& range) {
    return session.command("UID FETCH").raw(range + kLookItems).finish();
  };
  std::vector<Command> first;
  first.push_back(ask(fmt::format("{}:*", look.from())));
  const StatusResponse status = (co_await party.ask_anew(std::move(first), take)).front();
  // Some servers do not like `n:*` where there is nothing.
  if (status.status != Status::kOk && session.exists() > 0) throw session.refused(status, "FETCH");
  const std::uint64_t there = session.exists();
  std::optional<std::string> range = look.rest_after(status);
  const auto rest = [&]() -> Task<void> {
    for (int page = 0; range && page < kMaxPages; ++page) {
      std::string tag = co_await session.send(ask(*range));
      range = look.rest_after(co_await session.succeed(tag, "FETCH", take));
    }
  };
  if (range) co_await party.in_folder(rest);
  if (range)
    throw session.error(ErrorKind::protocol, "the server never comes to the end of the folder");
  Catalogue found = look.finish();
  // What an answer leaves out is not gone, and would go there once more.
  const auto whole = [&session]() { return read_catalogue(session, began_with(session)); };
  if (look.from() == 1 && found.size() < there)
    found = joined(co_await party.in_folder(whole), found);
  co_return found;
}

Task<std::vector<TargetEntry>> look_from(Party& party, Uid from) {
  co_return one_by_one(co_await catalogue_from(party, from));
}

Task<std::vector<TargetEntry>> look_at(Party& party, std::vector<Uid> uids) {
  Session& session = party.session();
  const std::vector<std::uint32_t> wanted = sorted(std::move(uids));
  std::vector<Command> commands;
  for (const std::string& set : split_set(wanted, session.quirks.command_octets / 2))
    commands.push_back(session.command("UID FETCH").raw(set + kLookItems).finish());
  Look look(Uid{1});
  bool cut = false;
  for (std::size_t at = 0; at < commands.size(); at += kInFlight) {
    std::vector<Command> part;
    for (std::size_t i = at; i < std::min(at + kInFlight, commands.size()); ++i)
      part.push_back(std::move(commands[i]));
    const auto take = [&look](Response& response) { look.take(response); };
    for (const StatusResponse& status : co_await party.ask_all(std::move(part), take)) {
      if (status.status != Status::kOk) throw session.refused(status, "FETCH");
      cut = cut || status.has(Code::kMessageLimit);
    }
  }
  // Who is left out is not gone: page by page the server tells of all.
  std::vector<TargetEntry> entries =
      cut ? co_await look_from(party, Uid{wanted.front()}) : one_by_one(look.finish());
  // Servers tell of other messages, too, as their flags change.
  std::erase_if(entries, [&wanted](const TargetEntry& entry) {
    return !std::ranges::binary_search(wanted, entry.uid.value);
  });
  co_return entries;
}

}  // namespace postferry::imap
