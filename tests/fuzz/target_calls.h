// A Target as the engine uses it, a letter for each call:
//   0-9 the folder for what follows    l list            U quotas
//   C create    S subscribe            m make and select s select
//   n uid_next  k look     K look_at   h headers         f fetch
//   a append    A the same, plain      t store           T store_all    x expunge
//   F fork, and both at once           q log out and in again
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/target.h"
#include "tests/fuzz/checked_sink.h"

namespace postferry::fuzz {

/// Two batches, of two messages and of one; each must be answered once, in order.
class TwoBatches final : public AppendFeed {
 public:
  explicit TwoBatches(bool plain) : plain_(plain) {}

  Task<std::optional<Batch>> next() override {
    if (given_ == 2) co_return std::nullopt;
    Batch batch;
    batch.id = ++given_;
    add(batch, "Subject: one\r\n\r\n");
    if (given_ == 1) add(batch, "Subject: t\xc3\xa4o\r\n\r\nbody\r\n");
    co_return batch;
  }
  Task<void> done(Batch batch, std::vector<AppendResult> results) override {
    require(batch.id == ++done_ && batch.messages.size() == results.size());
    for (const AppendResult& result : results) {
      const auto* refused = std::get_if<Rejected>(&result);
      require(!refused || refused->text.find('\x1b') == std::string::npos);
    }
    co_return;
  }
  bool plain() const override { return plain_; }
  bool complete() const { return done_ == given_ && given_ == 2; }

 private:
  static void add(Batch& batch, std::string text) {
    Message message;
    message.key = MessageKey(Uid{static_cast<std::uint32_t>(10 * batch.id) +
                                 static_cast<std::uint32_t>(batch.messages.size())});
    message.flags = Flags::parse("\\Seen \\Flagged keyword");
    message.date = InternalDate{1'000'000'000, 60};
    message.body = Body(std::move(text));
    batch.bytes += message.body.size_bytes();
    batch.messages.push_back(std::move(message));
  }

  const bool plain_;
  std::int64_t given_ = 0, done_ = 0;
};

class TargetCalls {
 public:
  explicit TargetCalls(Target& target) : target_(target) {}

  Task<void> run(std::string_view calls) {
    session_ = co_await target_.connect();
    for (const char call : calls) {
      bool dead = false;
      try {
        co_await make(call);
      } catch (const Error& error) {
        dead = error.kind() != ErrorKind::rejected;
      }
      if (call == 'q') co_await session_->logout();
      if (dead || call == 'q') co_await connect_anew();
    }
    co_await session_->logout();
  }

 private:
  Task<void> connect_anew() {
    open_ = false;
    uids_.clear();
    session_.reset();
    session_ = co_await target_.connect();
  }

  FolderName folder() const {
    if (chosen_ == 0) return FolderName({"INBOX"});
    return folders_.empty() ? FolderName({"a", "b"}) : folders_[chosen_ % folders_.size()];
  }

  Task<void> make(char call) {
    if (call >= '0' && call <= '9') {
      chosen_ = static_cast<std::size_t>(call - '0');
      co_return;
    }
    if (call == 'l') co_return co_await list();
    if (call == 'U') co_await session_->quotas(folder());
    if (call == 'C') co_return co_await session_->create(folder(), Role::sent);
    if (call == 'S') co_return co_await session_->subscribe(folder());
    if (call == 'm' || call == 's') co_return co_await open(call == 'm');
    if (call == 'F') co_return co_await fork();
    if (!open_) co_return;  // the rest is asked of an open folder alone
    if (call == 'n') co_await session_->uid_next();
    if (call == 'k') uids_ = ascending(co_await session_->look(Uid{1}));
    if (call == 'K') co_await look_at();
    if (call == 'h') co_await headers();
    if (call == 'f') co_await fetch();
    if (call == 'a' || call == 'A') co_await append(call == 'A');
    if (call == 't') co_await session_->store(uids_, Flags::parse("\\Seen word"), true);
    if (call == 'T') co_await store_all();
    if (call == 'x' && !uids_.empty()) co_await session_->expunge(uids_);
  }

  Task<void> list() {
    folders_.clear();
    for (const FolderInfo& folder : co_await session_->list()) {
      require(!folder.name.empty());
      if (folder.selectable) folders_.push_back(folder.name);
    }
  }

  Task<void> open(bool make) {
    open_ = false;
    uids_.clear();
    if (make) {
      co_await session_->make_and_select(folder(), Role::none, true);
    } else {
      co_await session_->select(folder());
    }
    open_ = true;
  }

  static std::vector<Uid> ascending(const std::vector<TargetEntry>& entries) {
    std::vector<Uid> uids;
    for (const TargetEntry& entry : entries) {
      require(entry.uid && (uids.empty() || uids.back() < entry.uid));
      uids.push_back(entry.uid);
    }
    return uids;
  }

  Task<void> look_at() {
    const std::vector<Uid> asked = uids_.empty() ? std::vector{Uid{1}, Uid{4}} : uids_;
    for (const Uid uid : ascending(co_await session_->look_at(asked)))
      require(std::ranges::binary_search(asked, uid));
  }

  Task<void> headers() {
    for (const HeaderEntry& entry : co_await session_->headers(uids_))
      require(std::ranges::binary_search(uids_, entry.key.uid()));
  }

  Task<void> fetch() {
    std::vector<MessageKey> keys;
    for (const Uid uid : uids_) keys.emplace_back(uid);
    co_await fetch_checked(std::move(keys), [&](MessageSink& sink) -> Task<void> {
      return session_->fetch(uids_, sink);
    });
  }

  Task<void> append(bool plain) {
    TwoBatches feed(plain);
    co_await session_->append(feed);
    require(feed.complete());
  }

  Task<void> store_all() {
    std::vector<FlagStore> changes;
    changes.push_back({uids_, Flags::parse("\\Flagged"), true});
    changes.push_back({uids_, Flags::parse("\\Seen word"), false});
    co_await session_->store_all(std::move(changes));
  }

  Task<void> fork() {
    open_ = false;
    std::unique_ptr<TargetSession> other = session_->fork();
    if (!other) co_return;
    co_await with_group([&](TaskGroup& group) -> Task<void> {
      group.spawn(open_and_look(*session_, folder()));
      group.spawn(open_and_look(*other, FolderName({"INBOX"})));
      co_await group.join();
    });
    co_await other->logout();
  }

  /// A refusal at one of two must not end the other.
  static Task<void> open_and_look(TargetSession& session, FolderName folder) {
    try {
      co_await session.select(folder);
      const std::vector<Uid> uids = ascending(co_await session.look(Uid{1}));
      TwoBatches feed(false);
      co_await session.append(feed);
      require(feed.complete());
      co_await session.store(uids, Flags::parse("\\Seen"), true);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
    }
  }

  Target& target_;
  std::unique_ptr<TargetSession> session_;
  std::vector<FolderName> folders_;
  std::size_t chosen_ = 0;
  std::vector<Uid> uids_;
  bool open_ = false;
};

}  // namespace postferry::fuzz
