// A server in memory as a target: the port, over a line.

#include "connectors/memory/target.h"

#include <algorithm>
#include <utility>

#include "connectors/memory/session.h"
#include "engine/async/timeout.h"

namespace postferry {

namespace {

std::vector<MessageKey> keys_of(const std::vector<Uid>& uids) {
  std::vector<MessageKey> keys;
  keys.reserve(uids.size());
  for (const Uid uid : uids) keys.emplace_back(uid);
  return keys;
}

class MemoryTargetSession final : public TargetSession {
 public:
  explicit MemoryTargetSession(std::shared_ptr<MemoryLine::Connection> connection)
      : line_(std::move(connection)), server_(line_.server()) {}

  const TargetTraits& traits() const override { return server_.options().traits; }
  Task<std::vector<FolderInfo>> list() override { return line_.list(); }
  Task<void> create(const FolderName& folder, Role role) override {
    return create_named(folder, role);
  }
  Task<void> subscribe(const FolderName& folder) override { return subscribe_named(folder); }
  Task<FolderNumbers> select(const FolderName& folder) override { return line_.select(folder); }
  Task<Uid> uid_next() override {
    MemoryLine::Call call(line_, "uid_next");
    co_await call.travel();
    const Uid next = line_.selected().uid_next;
    call.done();
    co_return next;
  }
  Task<std::vector<TargetEntry>> look(Uid from) override {
    MemoryLine::Call call(line_, "look");
    co_await call.travel();
    std::vector<TargetEntry> entries;
    for (const MemoryMessage& message : line_.selected().messages) {
      if (message.uid < from) continue;
      entries.push_back({message.uid, message.listed_bytes.value_or(message.bytes.size()),
                         message.date, message.flags});
    }
    server_.looked_at += entries.size();
    call.done();
    co_return entries;
  }
  Task<std::vector<HeaderEntry>> headers(std::vector<Uid> uids) override {
    return line_.headers(keys_of(uids));
  }
  Task<void> fetch(std::vector<Uid> uids, MessageSink& sink) override {
    return line_.fetch(keys_of(uids), sink);
  }
  Task<std::vector<Quota>> quotas(FolderName) override {
    std::vector<Quota> quotas;
    if (const auto limit = server_.options().quota_bytes)
      quotas.push_back({"all", Quota::Of::bytes, server_.stored_bytes(), *limit});
    co_return quotas;
  }
  Task<void> append(AppendFeed& feed) override {
    MemoryLine::Call call(line_, "append");
    co_await call.travel();
    while (true) {
      std::optional<Batch> batch = co_await feed.next();
      if (!batch) break;
      std::vector<AppendResult> results = co_await append_batch(*batch, feed.plain());
      call.check();
      co_await feed.done(std::move(*batch), std::move(results));
    }
    call.done();
  }
  std::uint64_t flags_dropped() const override { return flags_dropped_; }
  Task<void> store(std::vector<Uid> uids, const Flags& flags, bool add) override {
    return store_flags(std::move(uids), flags, add);
  }
  Task<void> expunge(std::vector<Uid> uids) override {
    MemoryLine::Call call(line_, "expunge");
    co_await call.travel();
    MemoryFolder& folder = line_.selected();
    for (const Uid uid : uids) {
      if (traits().uidplus) {
        folder.remove(uid);
      } else if (MemoryMessage* message = folder.find(uid)) {
        message->flags.system |= Flags::deleted;
        ++folder.highest_modseq;
      }
    }
    call.done();
  }
  std::unique_ptr<TargetSession> fork() override {
    return std::make_unique<MemoryTargetSession>(line_.connection());
  }
  bool lost() const override { return line_.lost(); }
  Task<void> logout() override { return line_.logout(); }

 private:
  Task<void> create_named(FolderName name, Role role) {
    MemoryLine::Call call(line_, "create");
    co_await call.travel();
    const std::string& forbidden = traits().forbidden_chars;
    const bool fits = std::ranges::none_of(name.levels(), [&](const std::string& level) {
      return level.find_first_of(forbidden) != std::string::npos;
    });
    if (!fits) {
      call.done();
      throw Error(ErrorKind::rejected, "NO [CANNOT] the name is not allowed",
                  "folder " + name.to_string());
    }
    if (server_.find(name) == nullptr) server_.folder(name).role = role;
    call.done();
  }

  Task<void> subscribe_named(FolderName name) {
    MemoryLine::Call call(line_, "subscribe");
    co_await call.travel();
    call.done();
    MemoryFolder* folder = server_.find(name);
    if (folder == nullptr) {
      throw Error(ErrorKind::rejected, "NO no such folder", "folder " + name.to_string());
    }
    folder->subscribed = true;
  }

  Task<void> store_flags(std::vector<Uid> uids, Flags flags, bool add) {
    MemoryLine::Call call(line_, "store");
    co_await call.travel();
    if (const auto words =
            server_.faults.refuse_store ? server_.faults.refuse_store(flags) : std::nullopt) {
      call.done();
      throw Error(ErrorKind::rejected, *words, server_.options().name);
    }
    MemoryFolder& folder = line_.selected();
    ++folder.highest_modseq;
    for (const Uid uid : uids) {
      MemoryMessage* message = folder.find(uid);
      if (message == nullptr) continue;
      if (add) {
        for (const std::string& name : kept(flags).names()) message->flags.add(name);
      } else {
        message->flags = message->flags.minus(flags);
      }
    }
    call.done();
  }

  /// Takes the whole batch from the line before any of it is stored, so that a stop finds it in
  /// hand; then stores it, message by message.
  Task<std::vector<AppendResult>> append_batch(const Batch& batch, bool plain) {
    std::vector<MemoryMessage> received;
    std::optional<MemoryStop> stop;
    std::size_t stop_at = 0;
    for (const Message& message : batch.messages) {
      received.push_back(co_await receive(message));
      if (plain) flags_dropped_ += std::exchange(received.back().flags.keywords, {}).size();
      if (!stop) {
        stop = server_.next_append();
        if (!stop) ++stop_at;
      }
    }
    Executor& executor = (co_await current_scope()).executor();
    co_await sleep_for(server_.options().round_trip);
    if (server_.faults.on_call) server_.faults.on_call(server_, "batch");
    if (stop) end_line(*stop, stop_at, std::move(received), executor.now());
    std::vector<AppendResult> results;
    MemoryFolder& folder = line_.selected();
    for (std::size_t i = 0; i < received.size(); ++i) {
      const bool keywords = !received[i].flags.keywords.empty();
      results.push_back(server_.append(folder, std::move(received[i])));
      if (auto* refused = std::get_if<Rejected>(&results.back()))
        refused->plain_may_pass = keywords && batch.messages[i].body.streamed();
    }
    co_return results;
  }

  Task<MemoryMessage> receive(const Message& message) {
    MemoryMessage received;
    co_await message.body.write_to([&received](std::string_view bytes) -> Task<void> {
      received.bytes += bytes;
      co_return;
    });
    received.flags = kept(message.flags);
    received.date = message.date;
    if (!received.date) {
      const auto now = (co_await current_scope()).executor().wall_clock().time_since_epoch();
      received.date =
          InternalDate{std::chrono::duration_cast<std::chrono::seconds>(now).count(), 0};
    }
    co_return received;
  }

  /// What of the flags the server takes.
  Flags kept(const Flags& flags) {
    const auto& allowed = server_.options().keywords;
    if (!allowed) return flags;
    Flags kept;
    kept.system = flags.system;
    for (const std::string& keyword : flags.keywords) {
      if (std::ranges::find(*allowed, keyword) != allowed->end()) {
        kept.add_keyword(keyword);
      } else {
        ++flags_dropped_;
      }
    }
    return kept;
  }

  [[noreturn]] void end_line(const MemoryStop& stop, std::size_t stop_at,
                             std::vector<MemoryMessage> received, TimePoint now) {
    std::size_t stored = 0;
    if (stop.fate == MemoryStop::Fate::prefix) stored = stop_at;
    if (stop.fate == MemoryStop::Fate::whole) stored = received.size();
    MemoryFolder& folder = line_.selected();
    for (std::size_t i = 0; i < stored; ++i) server_.append(folder, std::move(received[i]));
    if (stop.fate == MemoryStop::Fate::late) {
      TimePoint when = now + stop.late_by;
      for (MemoryMessage& message : received) {
        server_.append_late(folder.name, std::move(message), when);
        when += stop.late_step;
      }
    }
    throw stop.error;
  }

  MemoryLine line_;
  MemoryServer& server_;
  std::uint64_t flags_dropped_ = 0;
};

class MemoryTarget final : public Target {
 public:
  explicit MemoryTarget(MemoryServer& server) : server_(server) {}

  Task<std::unique_ptr<TargetSession>> connect() override {
    co_await sleep_for(server_.options().round_trip);
    ++server_.calls["connect"];
    co_return std::make_unique<MemoryTargetSession>(
        std::make_shared<MemoryLine::Connection>(server_));
  }
  int max_sessions() const override { return server_.options().max_sessions; }
  std::string describe() const override { return "memory:" + server_.options().name; }

 private:
  MemoryServer& server_;
};

}  // namespace

std::unique_ptr<Target> make_memory_target(MemoryServer& server) {
  return std::make_unique<MemoryTarget>(server);
}

}  // namespace postferry
