// The port to where mail goes. Implemented by connectors; the engine owns the contract.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/async/task.h"
#include "engine/model.h"
#include "engine/source.h"

namespace postferry {

/// What the engine must know of a target, learned at login.
struct TargetTraits {
  bool uidplus = false;           // APPENDUID and UID EXPUNGE (RFC 4315)
  bool munges_8bit = false;       // 8-bit header bytes may come back as X (Cyrus)
  bool folds_duplicates = false;  // an equal message may be answered with an old UID (Gmail)
  bool adds_received = false;     // a Received line is added at APPEND
  bool loses_flagged = false;     // \Flagged is lost at APPEND, and stored after it (Exchange)
  bool regenerates = false;       // neither sizes nor bytes need be those stored (Exchange)
  std::string forbidden_chars;    // bytes that no level of a folder name may hold
  char delimiter = '/';           // '\0': no hierarchy
  bool names_ignore_case = false;
  bool slash_in_names = true;  // a level may hold the character `/` when it is not the delimiter
  bool trims_names = false;    // no blank at either end of a level, no two in a row
  bool inbox_has_children = true;           // folders may lie under INBOX
  std::vector<std::string> reserved_names;  // top-level names that cannot be made, lower case
  bool rewrites_message_id = false;         // the domain of a Message-ID is replaced (Domino)
  bool hides_deleted = false;               // what is \\Deleted only leaves its folder (Gmail)
  std::optional<std::uint64_t> append_limit_bytes;
  /// No message goes out before the last was taken: far away, several sessions fill a folder
  /// faster.
  bool waits_for_each = false;
  std::size_t batch_messages = 1;     // most messages of one batch
  std::size_t batch_bytes = 1 << 20;  // about how many bytes of one batch
};

/// One message on the target.
struct TargetEntry {
  Uid uid;
  std::uint64_t size_bytes = 0;
  std::optional<InternalDate> date;
  Flags flags;
};

/// +FLAGS (add) or -FLAGS (!add) of some messages.
struct FlagStore {
  std::vector<Uid> uids;
  Flags flags;
  bool add = true;
};

/// One limit of a server, which several folders may share, and how much of it is used.
struct Quota {
  enum class Of { bytes, messages };
  std::string root;
  Of of = Of::bytes;
  std::uint64_t used = 0, limit = 0;
};

struct Stored {
  Uid uid;  // 0: the server does not say (no UIDPLUS); settle will learn it
};
/// Refused for good, in the server's words; nothing was stored.
struct Rejected {
  std::string text;
  /// The target may take it in the plainest form, but its body came in a stream, which is over.
  bool plain_may_pass = false;
};
using AppendResult = std::variant<Stored, Rejected>;

/// Messages that go out together. `batch` names the journal's row for them.
struct Batch {
  std::int64_t id = 0;
  /// Which source folder of which mailbox: the same from run to run. Keys mean something within it.
  std::string origin = {};
  std::vector<Message> messages;
  std::uint64_t bytes = 0;
};

/// The ordered, lazy sequence of what to append. Several sessions may share one: each batch goes to
/// one of them.
class AppendFeed {
 public:
  virtual ~AppendFeed() = default;
  /// The next batch, its journal row already written; nullopt at the end. May wait for the source.
  virtual Task<std::optional<Batch>> next() = 0;
  /// The target has answered for every message of `batch`, in order. Called once a batch, by each
  /// session in the order of its next(), perhaps several batches later.
  virtual Task<void> done(Batch batch, std::vector<AppendResult> results) = 0;
  /// All of it is to go in the plainest form: without keywords, and no literal before it is asked
  /// for.
  virtual bool plain() const { return false; }
};

/// A folder that was made and opened.
struct MadeFolder {
  FolderNumbers numbers;
  std::optional<Error> not_subscribed;  // though that was wanted: why
};

/// One logged-in connection. As for SourceSession: one call at a time (append may call next() and
/// done() of its feed concurrently), dead after any Error but `rejected`.
class TargetSession {
 public:
  virtual ~TargetSession() = default;
  virtual const TargetTraits& traits() const = 0;
  virtual Task<std::vector<FolderInfo>> list() = 0;
  /// Makes a folder; one that exists already is a success. Throws Error{rejected} with the words.
  virtual Task<void> create(const FolderName& folder, Role role) = 0;
  virtual Task<void> subscribe(const FolderName& folder) = 0;
  /// Opens a folder to fill it; it stays selected while it is filled.
  virtual Task<FolderNumbers> select(const FolderName& folder) = 0;
  /// create(), subscribe() if that is wanted, and select(); where the connector can, in one round
  /// trip. A refused subscription is no failure.
  virtual Task<MadeFolder> make_and_select(FolderName folder, Role role, bool subscribed) {
    MadeFolder made;
    co_await create(folder, role);
    try {
      if (subscribed) co_await subscribe(folder);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::rejected) throw;
      made.not_subscribed = error;
    }
    made.numbers = co_await select(folder);
    co_return made;
  }
  /// UIDNEXT of the selected folder as it is now, other sessions' doing included (NOOP first).
  virtual Task<Uid> uid_next() = 0;
  /// Messages of the selected folder with UID >= from, ascending, other sessions' doing included.
  virtual Task<std::vector<TargetEntry>> look(Uid from) = 0;
  /// Those of these messages of the selected folder that are there, ascending.
  virtual Task<std::vector<TargetEntry>> look_at(std::vector<Uid> uids) {
    if (uids.empty()) co_return std::vector<TargetEntry>{};
    std::ranges::sort(uids);
    std::vector<TargetEntry> entries = co_await look(uids.front());
    std::erase_if(entries, [&uids](const TargetEntry& entry) {
      return !std::ranges::binary_search(uids, entry.uid);
    });
    co_return entries;
  }
  /// As look(), compactly: where there may be as many as the folder has.
  virtual Task<Catalogue> catalogue(Uid from) {
    const std::vector<TargetEntry> entries = co_await look(from);
    Catalogue out;
    out.reserve(entries.size());
    for (const TargetEntry& entry : entries)
      out.add(MessageKey(entry.uid), entry.size_bytes, entry.date, entry.flags);
    co_return out;
  }
  virtual Task<std::vector<HeaderEntry>> headers(std::vector<Uid> uids) = 0;
  /// Whole messages of the selected folder, in order, to the sink, as Source::fetch does.
  virtual Task<void> fetch(std::vector<Uid> uids, MessageSink& sink) = 0;
  /// Appends to the selected folder, with flags and date to the second. The connector chooses
  /// MULTIAPPEND, pipelining or synchronising literals, and bisects a batch refused for a message's
  /// sake. Throws Error{quota|throttled|transient|...} when it must stop: batches not yet done()
  /// are then undecided. Flags that the folder does not take are left out and counted.
  virtual Task<void> append(AppendFeed& feed) = 0;
  /// How many flags were left out by append or store because the folder does not take them.
  virtual std::uint64_t flags_dropped() const = 0;
  /// +FLAGS (add) or -FLAGS (!add) by UID, in the selected folder (RFC 9051 §6.4.6). Flags that it
  /// does not take are left out and counted.
  virtual Task<void> store(std::vector<Uid> uids, const Flags& flags, bool add) = 0;
  /// All of these, in order; where the connector can, in one round trip.
  virtual Task<void> store_all(std::vector<FlagStore> changes) {
    for (FlagStore& change : changes)
      co_await store(std::move(change.uids), change.flags, change.add);
  }
  /// Removes just these by UID EXPUNGE; without UIDPLUS only marks them \Deleted.
  virtual Task<void> expunge(std::vector<Uid> uids) = 0;
  /// As SourceSession::fork().
  virtual std::unique_ptr<TargetSession> fork() { return nullptr; }
  /// As SourceSession::lost().
  virtual bool lost() const { return false; }
  /// As SourceSession::offers().
  virtual std::vector<std::string> offers() const { return {}; }
  /// As SourceSession::software().
  virtual std::string software() const { return {}; }
  /// The limits under which a folder that exists is filled; none where the server tells none.
  virtual Task<std::vector<Quota>> quotas(FolderName folder) {
    (void)folder;
    co_return std::vector<Quota>{};
  }
  virtual Task<void> logout() = 0;
};

class Target {
 public:
  virtual ~Target() = default;
  virtual Task<std::unique_ptr<TargetSession>> connect() = 0;
  virtual int max_sessions() const = 0;
  virtual std::string describe() const = 0;
};

}  // namespace postferry
