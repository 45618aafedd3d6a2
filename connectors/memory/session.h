// One line to a server in memory: what source and target sessions share. It enforces the port's
// rules on who calls it: one call at a time, and none on a dead session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/memory/server.h"
#include "engine/async/task.h"
#include "engine/source.h"

namespace postferry {

/// Breaking the rules is a bug of the caller: std::logic_error.
class MemoryLine {
 public:
  /// What sessions share that were forked from one: when one of them dies, all do.
  class Connection {
   public:
    /// Throws what MemoryServer::open_session throws.
    explicit Connection(MemoryServer& server);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

   private:
    friend class MemoryLine;
    MemoryServer& server_;
    std::uint64_t number_;
    bool dead_ = false;
  };

  explicit MemoryLine(std::shared_ptr<Connection> connection);
  MemoryLine(const MemoryLine&) = delete;
  MemoryLine& operator=(const MemoryLine&) = delete;

  const std::shared_ptr<Connection>& connection() const { return connection_; }
  bool lost() const { return connection_->dead_; }

  /// One call, from its beginning; unless it is told done(), the session is dead afterwards.
  class Call {
   public:
    /// Throws std::logic_error when another call is under way, or the session is dead.
    Call(MemoryLine& line, std::string_view name);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();
    /// The way to the server and back: time passes, what is late arrives, and what the test
    /// planned happens. Throws Error{transient} when the line was cut.
    Task<void> travel();
    /// Throws when the line has been cut since.
    void check() const;
    /// The call has ended well, or with Error{rejected}.
    void done() { done_ = true; }

   private:
    MemoryLine& line_;
    std::string name_;
    bool done_ = false;
  };

  MemoryServer& server() const { return server_; }
  /// The folder that is selected. Throws std::logic_error when none is.
  MemoryFolder& selected();

  Task<std::vector<FolderInfo>> list();
  Task<FolderNumbers> select(FolderName folder);
  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys);
  Task<void> fetch(std::vector<MessageKey> keys, MessageSink& sink);
  Task<Removal> remove(std::vector<MessageKey> keys);
  Task<void> logout();

  MessageKey key_of(const MemoryMessage& message) const;
  FolderNumbers numbers_of(const MemoryFolder& folder) const;

 private:
  MemoryMessage* find(const MessageKey& key);
  Task<void> hand_over(const MessageKey& key, MessageSink& sink, const Call& call);

  std::shared_ptr<Connection> connection_;
  MemoryServer& server_;
  std::optional<FolderName> selected_;
  std::vector<Uid> fetched_;
  bool busy_ = false;
  bool dead_ = false;
};

/// The recognisable fields of a message's header, each unfolded.
HeaderFields memory_header_fields(std::string_view bytes);

}  // namespace postferry
