// What a server does with what it is told.

#include "connectors/memory/server.h"

#include <algorithm>

namespace postferry {

namespace {

/// As a server that takes no 8-bit headers: they come back as X.
std::string munged(std::string bytes) {
  const std::size_t end = std::min(bytes.find("\r\n\r\n"), bytes.size());
  for (std::size_t i = 0; i < end; ++i) {
    if (static_cast<unsigned char>(bytes[i]) >= 0x80) bytes[i] = 'X';
  }
  return bytes;
}

}  // namespace

TargetTraits roomy_traits() {
  TargetTraits traits;
  traits.uidplus = true;
  traits.batch_messages = 10;
  return traits;
}

MemoryMessage* MemoryFolder::find(Uid uid) {
  const auto at = std::ranges::lower_bound(messages, uid, {}, &MemoryMessage::uid);
  return at != messages.end() && at->uid == uid ? &*at : nullptr;
}

Uid MemoryFolder::add(std::string bytes, Flags flags, std::optional<InternalDate> date) {
  const Uid uid = uid_next;
  ++uid_next.value;
  ++highest_modseq;
  messages.push_back({uid, std::move(bytes), std::move(flags), date});
  messages.back().modseq = highest_modseq;
  return uid;
}

bool MemoryFolder::remove(Uid uid) {
  ++highest_modseq;
  return std::erase_if(messages, [uid](const MemoryMessage& m) { return m.uid == uid; }) > 0;
}

void MemoryFolder::set_flags(MemoryMessage& message, Flags flags) {
  message.flags = std::move(flags);
  message.modseq = ++highest_modseq;
}

MemoryServer::MemoryServer(MemoryOptions options) : options_(std::move(options)) {
  folder("INBOX").role = Role::inbox;
}

MemoryFolder& MemoryServer::folder(const FolderName& name) {
  if (MemoryFolder* found = find(name)) return *found;
  MemoryFolder& made = folders_.emplace_back();
  made.name = name;
  made.uid_validity = options_.uid_validity;
  return made;
}

MemoryFolder* MemoryServer::find(const FolderName& name) {
  const auto at = std::ranges::find(folders_, name, &MemoryFolder::name);
  return at == folders_.end() ? nullptr : &*at;
}

void MemoryServer::remove_folder(const FolderName& name) {
  std::erase_if(folders_, [&name](const MemoryFolder& folder) { return folder.name == name; });
}

void MemoryServer::renumber(const FolderName& name, std::uint32_t uid_validity) {
  MemoryFolder& changed = folder(name);
  changed.uid_validity = uid_validity;
  changed.uid_next = Uid{1};
  for (MemoryMessage& message : changed.messages) {
    message.uid = changed.uid_next;
    ++changed.uid_next.value;
  }
}

std::uint64_t MemoryServer::stored_bytes() const {
  std::uint64_t bytes = 0;
  for (const MemoryFolder& each : folders_) {
    for (const MemoryMessage& message : each.messages) bytes += message.bytes.size();
  }
  return bytes;
}

void MemoryServer::arrive(TimePoint now) {
  while (!late_.empty() && late_.front().when <= now) {
    Late late = std::move(late_.front());
    late_.erase(late_.begin());
    if (MemoryFolder* into = find(late.folder)) store(*into, std::move(late.message));
  }
}

void MemoryServer::open_session() {
  if (!faults.connect_errors.empty()) {
    const Error error = std::move(faults.connect_errors.front());
    faults.connect_errors.pop_front();
    throw error;
  }
  if (sessions_ >= options_.max_sessions) {
    throw Error(ErrorKind::throttled, "too many connections", options_.name);
  }
  ++sessions_;
}

std::optional<std::string> MemoryServer::refusal(const MemoryMessage& message) const {
  if (options_.quota_bytes && stored_bytes() + message.bytes.size() > *options_.quota_bytes) {
    throw Error(ErrorKind::quota, "NO [OVERQUOTA] the mailbox is full", options_.name);
  }
  const std::optional<std::uint64_t> limit = options_.traits.append_limit_bytes;
  if (limit && message.bytes.size() > *limit) return "NO [TOOBIG] the message is too large";
  return faults.refuse ? faults.refuse(message) : std::nullopt;
}

AppendResult MemoryServer::append(MemoryFolder& into, MemoryMessage message) {
  if (std::optional<std::string> words = refusal(message)) return Rejected{std::move(*words)};
  return store(into, std::move(message));
}

Stored MemoryServer::store(MemoryFolder& into, MemoryMessage message) {
  if (options_.traits.munges_8bit) message.bytes = munged(std::move(message.bytes));
  if (options_.traits.adds_received) {
    message.bytes.insert(0, "Received: by " + options_.name + "\r\n");
  }
  if (options_.traits.folds_duplicates) {
    const auto same = std::ranges::find(into.messages, message.bytes, &MemoryMessage::bytes);
    if (same != into.messages.end()) return Stored{same->uid};
  }
  ++appended;
  const Uid uid = into.add(std::move(message.bytes), std::move(message.flags), message.date);
  return Stored{options_.traits.uidplus ? uid : Uid{}};
}

void MemoryServer::append_late(const FolderName& into, MemoryMessage message, TimePoint when) {
  // Nobody is there any more to store it after the APPEND.
  if (options_.traits.loses_flagged)
    message.flags.system &= static_cast<std::uint8_t>(~Flags::flagged);
  const auto at = std::ranges::upper_bound(late_, when, {}, &Late::when);
  late_.insert(at, Late{into, std::move(message), when});
}

std::optional<MemoryStop> MemoryServer::next(std::deque<MemoryStop>& stops, std::uint64_t& count) {
  if (stops.empty() || count < stops.front().after) {
    ++count;
    return std::nullopt;
  }
  const MemoryStop stop = std::move(stops.front());
  stops.pop_front();
  count = 0;
  return stop;
}

}  // namespace postferry
