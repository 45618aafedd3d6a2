// Reading from a server in memory.

#include "connectors/memory/session.h"

#include <algorithm>
#include <stdexcept>

#include "engine/async/timeout.h"

namespace postferry {

namespace {

constexpr std::size_t kChunk = 16 << 10;

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

HeaderFields memory_header_fields(std::string_view bytes) {
  HeaderFields fields;
  while (!bytes.empty() && bytes[0] != '\r' && bytes[0] != '\n') {
    std::string line;
    do {  // A field goes on in lines that begin with white space.
      const std::size_t end = std::min(bytes.find('\n'), bytes.size());
      line += bytes.substr(0, end);
      if (line.ends_with('\r')) line.pop_back();
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
    } while (!bytes.empty() && (bytes[0] == ' ' || bytes[0] == '\t'));
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string_view name = std::string_view(line).substr(0, colon);
    std::string value =
        line.substr(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
    for (auto [known, into] : {std::pair("Message-ID", &fields.message_id),
                               {"Date", &fields.date},
                               {"From", &fields.from},
                               {"Subject", &fields.subject},
                               {"To", &fields.to},
                               {"Received", &fields.received}}) {
      if (same_name(name, known) && !*into) *into = value;
    }
  }
  return fields;
}

// MemoryLine::Call

MemoryLine::Call::Call(MemoryLine& line, std::string_view name) : line_(line), name_(name) {
  if (line.busy_) throw std::logic_error("two calls at once on one session: " + name_);
  if (line.dead_) throw std::logic_error("a call on a dead session: " + name_);
  line.busy_ = true;
  ++line.server_.calls[name_];
}

MemoryLine::Call::~Call() {
  line_.busy_ = false;
  if (!done_) line_.dead_ = line_.connection_->dead_ = true;
}

Task<void> MemoryLine::Call::travel() {
  co_await sleep_for(line_.server_.options().round_trip);
  line_.server_.arrive((co_await current_scope()).executor().now());
  check();
  try {
    if (line_.server_.faults.on_call) line_.server_.faults.on_call(line_.server_, name_);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::rejected) done();
    throw;
  }
  check();
}

void MemoryLine::Call::check() const {
  const Connection& connection = *line_.connection_;
  if (connection.dead_ || connection.number_ != line_.server_.line()) {
    throw Error(ErrorKind::transient, "the connection was lost", line_.server_.options().name);
  }
}

// MemoryLine

MemoryLine::Connection::Connection(MemoryServer& server) : server_(server), number_(server.line()) {
  server.open_session();
}

MemoryLine::Connection::~Connection() { server_.close_session(); }

MemoryLine::MemoryLine(std::shared_ptr<Connection> connection)
    : connection_(std::move(connection)), server_(connection_->server_) {}

MemoryFolder& MemoryLine::selected() {
  if (!selected_) throw std::logic_error("no folder is selected");
  MemoryFolder* folder = server_.find(*selected_);
  if (folder == nullptr) {
    throw Error(ErrorKind::transient, "BYE the selected folder is gone", server_.options().name);
  }
  return *folder;
}

MessageKey MemoryLine::key_of(const MemoryMessage& message) const {
  if (!server_.options().uidl_keys) return MessageKey(message.uid);
  if (message.uidl) return MessageKey(*message.uidl);
  return MessageKey("uidl-" + std::to_string(message.uid.value));
}

MemoryMessage* MemoryLine::find(const MessageKey& key) {
  MemoryFolder& folder = selected();
  if (key.is_uid()) return folder.find(key.uid());
  const auto at = std::ranges::find_if(
      folder.messages, [&](const MemoryMessage& message) { return key_of(message) == key; });
  return at == folder.messages.end() ? nullptr : &*at;
}

FolderNumbers MemoryLine::numbers_of(const MemoryFolder& folder) const {
  FolderNumbers numbers;
  numbers.messages = folder.messages.size();
  if (server_.options().uidl_keys) return numbers;
  numbers.uid_validity = folder.uid_validity;
  numbers.uid_next = folder.uid_next.value;
  if (server_.options().condstore) numbers.highest_modseq = folder.highest_modseq;
  return numbers;
}

Task<std::vector<FolderInfo>> MemoryLine::list() {
  Call call(*this, "list");
  co_await call.travel();
  std::vector<FolderInfo> listing;
  for (const MemoryFolder& folder : server_.folders()) {
    FolderInfo info{folder.name, folder.role, folder.selectable, folder.subscribed, {}};
    if (server_.options().list_numbers && folder.selectable) info.numbers = numbers_of(folder);
    listing.push_back(std::move(info));
  }
  call.done();
  co_return listing;
}

Task<FolderNumbers> MemoryLine::select(FolderName name) {
  Call call(*this, "select");
  co_await call.travel();
  const MemoryFolder* folder = server_.find(name);
  selected_.reset();
  if (folder == nullptr || !folder->selectable) {
    call.done();
    throw Error(ErrorKind::rejected, "NO no such folder", "folder " + name.to_string());
  }
  selected_ = std::move(name);
  call.done();
  co_return numbers_of(*folder);
}

Task<std::vector<HeaderEntry>> MemoryLine::headers(std::vector<MessageKey> keys) {
  Call call(*this, "headers");
  co_await call.travel();
  std::vector<HeaderEntry> entries;
  for (const MessageKey& key : keys) {
    const MemoryMessage* message = find(key);
    if (message && !server_.faults.unreadable.contains({selected().name, message->uid})) {
      entries.push_back({key, memory_header_fields(message->bytes)});
    }
  }
  call.done();
  co_return entries;
}

Task<void> MemoryLine::fetch(std::vector<MessageKey> keys, MessageSink& sink) {
  Call call(*this, "fetch");
  co_await call.travel();
  std::vector<std::pair<MessageKey, std::string>> unreadable;
  for (const MessageKey& key : keys) {
    call.check();
    const MemoryMessage* message = find(key);
    if (message == nullptr) {
      co_await sink.missing(key, true, "");
      continue;
    }
    const auto words = server_.faults.unreadable.find({selected().name, message->uid});
    if (words != server_.faults.unreadable.end()) {
      unreadable.emplace_back(key, words->second);
      continue;
    }
    co_await hand_over(key, sink, call);
  }
  for (auto& [key, words] : unreadable) co_await sink.missing(key, false, words);
  call.done();
}

Task<void> MemoryLine::hand_over(const MessageKey& key, MessageSink& sink, const Call& call) {
  const std::optional<MemoryStop> stop = server_.next_fetch();
  const MemoryMessage original = *find(key);  // It may be expunged while the sink waits.
  fetched_.push_back(original.uid);
  if (server_.faults.on_fetch) server_.faults.on_fetch(selected().name, original);
  const bool streamed = original.bytes.size() > server_.options().stream_above;
  if (stop && !(streamed && stop->body_bytes > 0)) throw stop->error;
  Message message{key, original.flags, original.date, {}};
  if (!key.is_uid()) message.fields = memory_header_fields(original.bytes);
  if (!streamed) {
    message.body = Body(original.bytes);
    co_await sink.message(std::move(message));
    call.check();
    co_return;
  }
  const auto pipe = std::make_shared<BodyPipe>(original.bytes.size());
  message.body = Body(pipe);
  // However this ends, the reader must not wait for more.
  const struct Closer {
    BodyPipe& pipe;
    ~Closer() { pipe.close(); }
  } closer{*pipe};
  co_await sink.message(std::move(message));
  const std::size_t end =
      stop ? std::min<std::size_t>(stop->body_bytes, original.bytes.size()) : original.bytes.size();
  for (std::size_t at = 0; at < end; at += kChunk) {
    call.check();
    const bool wanted = co_await pipe->push(original.bytes.substr(at, std::min(kChunk, end - at)));
    if (!wanted) break;
  }
  if (stop) throw stop->error;
}

/// As POP3 with UIDL keys: the removal ends the session. Else as IMAP.
Task<Removal> MemoryLine::remove(std::vector<MessageKey> keys) {
  Call call(*this, "remove");
  co_await call.travel();
  std::optional<MemoryRemoval> fate;
  if (!server_.faults.removals.empty()) {
    fate = server_.faults.removals.front();
    server_.faults.removals.pop_front();
  }
  Removal removal;
  removal.session_over = server_.options().uidl_keys;
  const bool marks = !removal.session_over && !server_.options().traits.uidplus;
  MemoryFolder& folder = selected();
  for (MessageKey& key : keys) {
    MemoryMessage* message = find(key);
    if (message == nullptr) {
      removal.words = "NO no such message";
      continue;
    }
    const bool happens = !fate || *fate == MemoryRemoval::lost_done;
    if (happens && marks) {
      message->flags.system |= Flags::deleted;
      message->modseq = ++folder.highest_modseq;
    } else if (happens) {
      folder.remove(message->uid);
    }
    removal.keys.push_back(std::move(key));
  }
  if (fate && !removal.session_over) {
    throw Error(ErrorKind::transient, "the connection was lost", server_.options().name);
  }
  removal.how = fate ? Removal::How::unknown : marks ? Removal::How::marked : removal.how;
  if (fate) removal.words = *fate == MemoryRemoval::refused ? "-ERR not removed" : "no answer";
  if (!removal.session_over) call.done();
  co_return removal;
}

Task<void> MemoryLine::logout() {
  if (!dead_ && connection_.use_count() == 1) {
    const Call call(*this, "logout");  // Never done: nothing comes after it.
    co_await sleep_for(server_.options().round_trip);
    if (!selected_ || server_.find(*selected_) == nullptr) co_return;
    for (const Uid uid : fetched_)
      if (MemoryMessage* message = selected().find(uid)) message->popped = true;
  }
}

}  // namespace postferry
