// A server in memory as a source: the port, over a line.

#include "connectors/memory/source.h"

#include <algorithm>
#include <utility>

#include "connectors/memory/session.h"
#include "engine/async/timeout.h"

namespace postferry {

namespace {

class MemorySourceSession final : public SourceSession {
 public:
  explicit MemorySourceSession(std::shared_ptr<MemoryLine::Connection> connection)
      : line_(std::move(connection)) {}

  Task<std::vector<FolderInfo>> list() override { return line_.list(); }
  Task<FolderNumbers> select(const FolderName& folder) override { return line_.select(folder); }
  bool windowed() const override {
    const MemoryOptions& options = line_.server().options();
    return options.window > 0 && options.says_windowed;
  }
  Task<Opened> open_with_changes(FolderName folder, Since since) override {
    if (!line_.server().options().tells_changes)
      co_return co_await open_with_catalogue(std::move(folder));
    Opened opened;
    opened.numbers = co_await select(folder);
    opened.changes_only = true;
    MemoryLine::Call call(line_, "changes");
    co_await call.travel();
    const std::vector<Uid>& witnesses = since.witnesses;
    for (const MemoryMessage& message : line_.selected().messages) {
      const bool fresh = witnesses.empty() || message.uid > witnesses.back();
      if (fresh || message.modseq > *since.numbers.highest_modseq ||
          std::ranges::binary_search(witnesses, message.uid))
        opened.catalogue.add(MessageKey(message.uid), message.bytes.size(), message.date,
                             message.flags);
    }
    call.done();
    co_return opened;
  }
  Task<Catalogue> catalogue() override {
    MemoryLine::Call call(line_, "catalogue");
    co_await call.travel();
    const bool bare = line_.server().options().uidl_keys;
    Catalogue catalogue;
    const std::size_t window = line_.server().options().window;
    for (const MemoryMessage& message : line_.selected().messages) {
      if (window > 0 && (message.popped || catalogue.size() == window)) continue;
      catalogue.add(line_.key_of(message), message.listed_bytes.value_or(message.bytes.size()),
                    bare ? std::nullopt : message.date, bare ? Flags{} : message.flags);
    }
    call.done();
    co_return catalogue;
  }
  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    return line_.headers(std::move(keys));
  }
  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override {
    std::vector<MessageKey> keys;
    keys.reserve(wanted.size());
    for (const Catalogue::Entry& entry : wanted) keys.push_back(entry.key);
    return line_.fetch(std::move(keys), sink);
  }
  Task<Removal> remove(std::vector<MessageKey> keys) override {
    return line_.remove(std::move(keys));
  }
  std::unique_ptr<SourceSession> fork() override {
    return std::make_unique<MemorySourceSession>(line_.connection());
  }
  bool lost() const override { return line_.lost(); }
  Task<void> logout() override { return line_.logout(); }

 private:
  MemoryLine line_;
};

class MemorySource final : public Source {
 public:
  explicit MemorySource(MemoryServer& server) : server_(server) {}

  Task<std::unique_ptr<SourceSession>> connect() override {
    co_await sleep_for(server_.options().round_trip);
    ++server_.calls["connect"];
    co_return std::make_unique<MemorySourceSession>(
        std::make_shared<MemoryLine::Connection>(server_));
  }
  int max_sessions() const override { return server_.options().max_sessions; }
  std::string describe() const override { return "memory:" + server_.options().name; }

 private:
  MemoryServer& server_;
};

}  // namespace

std::unique_ptr<Source> make_memory_source(MemoryServer& server) {
  return std::make_unique<MemorySource>(server);
}

}  // namespace postferry
