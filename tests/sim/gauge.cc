// Sessions that pass everything on, and look at bodies on their way.
#include "tests/sim/gauge.h"

#include <algorithm>
#include <utility>

namespace postferry::sim {
namespace {

/// A transfer is both: what a source fills and a target empties.
const void* whole(const MessageSink& sink) { return dynamic_cast<const void*>(&sink); }
const void* whole(const AppendFeed& feed) { return dynamic_cast<const void*>(&feed); }

class WatchedSink final : public MessageSink {
 public:
  WatchedSink(MessageSink& inner, Gauge& gauge)
      : inner_(inner), gauge_(gauge), transfers_(dynamic_cast<AppendFeed*>(&inner) != nullptr) {}
  Task<void> message(Message message) override {
    const Body body = message.body;  // the bytes are shared
    co_await inner_.message(std::move(message));
    if (transfers_) gauge_.take(whole(inner_), body);
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    return inner_.missing(std::move(key), gone, std::move(reason));
  }
  Share* share() override { return inner_.share(); }
  void waiting() override { inner_.waiting(); }
  void crawling() override { inner_.crawling(); }

 private:
  MessageSink& inner_;
  Gauge& gauge_;
  const bool transfers_;  // others look at a body and let it go
};

class WatchedFeed final : public AppendFeed {
 public:
  WatchedFeed(AppendFeed& inner, Gauge& gauge) : inner_(inner), gauge_(gauge) {}
  Task<std::optional<Batch>> next() override {
    std::optional<Batch> batch = co_await inner_.next();
    if (!batch) gauge_.over(whole(inner_));
    co_return batch;
  }
  Task<void> done(Batch batch, std::vector<AppendResult> results) override {
    std::vector<Body> bodies;
    for (const Message& message : batch.messages) bodies.push_back(message.body);
    co_await inner_.done(std::move(batch), std::move(results));
    for (const Body& body : bodies) gauge_.give(whole(inner_), body);
  }
  bool plain() const override { return inner_.plain(); }

 private:
  AppendFeed& inner_;
  Gauge& gauge_;
};

class WatchedSource final : public SourceSession {
 public:
  WatchedSource(std::unique_ptr<SourceSession> inner, Gauge& gauge)
      : inner_(std::move(inner)), gauge_(gauge) {}
  ~WatchedSource() override { gauge_.over(belt_); }

  Task<std::vector<FolderInfo>> list() override { return inner_->list(); }
  Task<FolderNumbers> select(const FolderName& folder) override { return inner_->select(folder); }
  bool windowed() const override { return inner_->windowed(); }
  bool shows_all() const override { return inner_->shows_all(); }
  Task<Catalogue> catalogue() override { return inner_->catalogue(); }
  Task<Opened> open_with_catalogue(FolderName folder) override {
    return inner_->open_with_catalogue(std::move(folder));
  }
  Task<Opened> open_with_changes(FolderName folder, Since since) override {
    return inner_->open_with_changes(std::move(folder), std::move(since));
  }
  Task<void> glance(std::vector<FolderName> folders,
                    std::function<Task<void>(FolderName, Opened)> take) override {
    return inner_->glance(std::move(folders), std::move(take));
  }
  Task<std::vector<UidRange>> uids() override { return inner_->uids(); }
  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    return inner_->headers(std::move(keys));
  }
  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override {
    gauge_.over(std::exchange(belt_, whole(sink)));
    gauge_.over(belt_);
    WatchedSink watched(sink, gauge_);
    co_await inner_->fetch(std::move(wanted), watched);
  }
  Task<Removal> remove(std::vector<MessageKey> keys) override {
    return inner_->remove(std::move(keys));
  }
  std::unique_ptr<SourceSession> fork() override {
    std::unique_ptr<SourceSession> forked = inner_->fork();
    return forked ? std::make_unique<WatchedSource>(std::move(forked), gauge_) : nullptr;
  }
  bool lost() const override { return inner_->lost(); }
  std::vector<std::string> offers() const override { return inner_->offers(); }
  std::string software() const override { return inner_->software(); }
  Task<void> logout() override { return inner_->logout(); }

 private:
  std::unique_ptr<SourceSession> inner_;
  Gauge& gauge_;
  const void* belt_ = nullptr;  // of the last fetch
};

class WatchedTarget final : public TargetSession {
 public:
  WatchedTarget(std::unique_ptr<TargetSession> inner, Gauge& gauge)
      : inner_(std::move(inner)), gauge_(gauge) {}

  const TargetTraits& traits() const override { return inner_->traits(); }
  Task<std::vector<FolderInfo>> list() override { return inner_->list(); }
  Task<void> create(const FolderName& folder, Role role) override {
    return inner_->create(folder, role);
  }
  Task<void> subscribe(const FolderName& folder) override { return inner_->subscribe(folder); }
  Task<FolderNumbers> select(const FolderName& folder) override { return inner_->select(folder); }
  Task<MadeFolder> make_and_select(FolderName folder, Role role, bool subscribed) override {
    return inner_->make_and_select(std::move(folder), role, subscribed);
  }
  Task<Uid> uid_next() override { return inner_->uid_next(); }
  Task<std::vector<TargetEntry>> look(Uid from) override { return inner_->look(from); }
  Task<std::vector<TargetEntry>> look_at(std::vector<Uid> uids) override {
    return inner_->look_at(std::move(uids));
  }
  Task<Catalogue> catalogue(Uid from) override { return inner_->catalogue(from); }
  Task<std::vector<HeaderEntry>> headers(std::vector<Uid> uids) override {
    return inner_->headers(std::move(uids));
  }
  Task<void> fetch(std::vector<Uid> uids, MessageSink& sink) override {
    return inner_->fetch(std::move(uids), sink);
  }
  Task<void> append(AppendFeed& feed) override {
    WatchedFeed watched(feed, gauge_);
    co_await inner_->append(watched);
  }
  std::uint64_t flags_dropped() const override { return inner_->flags_dropped(); }
  Task<void> store(std::vector<Uid> uids, const Flags& flags, bool add) override {
    return inner_->store(std::move(uids), flags, add);
  }
  Task<void> store_all(std::vector<FlagStore> changes) override {
    return inner_->store_all(std::move(changes));
  }
  Task<void> expunge(std::vector<Uid> uids) override { return inner_->expunge(std::move(uids)); }
  std::unique_ptr<TargetSession> fork() override {
    std::unique_ptr<TargetSession> forked = inner_->fork();
    return forked ? std::make_unique<WatchedTarget>(std::move(forked), gauge_) : nullptr;
  }
  bool lost() const override { return inner_->lost(); }
  std::vector<std::string> offers() const override { return inner_->offers(); }
  std::string software() const override { return inner_->software(); }
  Task<std::vector<Quota>> quotas(FolderName folder) override {
    return inner_->quotas(std::move(folder));
  }
  Task<void> logout() override { return inner_->logout(); }

 private:
  std::unique_ptr<TargetSession> inner_;
  Gauge& gauge_;
};

template <class End, class Watched, class Session>
class WatchedEnd : public End {
 public:
  WatchedEnd(End& inner, Gauge& gauge) : inner_(inner), gauge_(gauge) {}
  Task<std::unique_ptr<Session>> connect() override {
    std::unique_ptr<Session> session = co_await inner_.connect();
    co_return std::make_unique<Watched>(std::move(session), gauge_);
  }
  int max_sessions() const override { return inner_.max_sessions(); }
  std::string describe() const override { return inner_.describe(); }

 protected:
  End& inner_;
  Gauge& gauge_;
};

class SourceEnd final : public WatchedEnd<Source, WatchedSource, SourceSession> {
 public:
  using WatchedEnd::WatchedEnd;
  void carried(const std::vector<FolderInfo>& folders) override { inner_.carried(folders); }
};

using TargetEnd = WatchedEnd<Target, WatchedTarget, TargetSession>;

}  // namespace

void Gauge::take(const void* belt, const Body& body) {
  if (!body.held()) return;
  belts_[belt].bytes += body.size_bytes();
  ++belts_[belt].messages;
  std::uint64_t sum = 0;
  for (const auto& [each, held] : belts_)
    if (held.messages > 1) sum += held.bytes;
  if (sum > limit_) excess_ = std::max(sum, excess_.value_or(0));
}

void Gauge::give(const void* belt, const Body& body) {
  const auto at = belts_.find(belt);
  if (at == belts_.end() || !body.held()) return;
  at->second.bytes -= std::min(at->second.bytes, body.size_bytes());
  at->second.messages -= std::min<std::uint64_t>(at->second.messages, 1);
}

std::unique_ptr<Source> watched(Source& inner, Gauge& gauge) {
  return std::make_unique<SourceEnd>(inner, gauge);
}
std::unique_ptr<Target> watched(Target& inner, Gauge& gauge) {
  return std::make_unique<TargetEnd>(inner, gauge);
}

}  // namespace postferry::sim
