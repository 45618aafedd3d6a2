// The port to where mail comes from. Implemented by connectors; the engine owns the contract.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/async/task.h"
#include "engine/body.h"
#include "engine/catalogue.h"
#include "engine/error.h"
#include "engine/model.h"
#include "engine/room.h"

namespace postferry {

struct Message {
  MessageKey key;
  Flags flags;
  std::optional<InternalDate> date;
  Body body;
  std::optional<HeaderFields> fields = {};  // where keys are UIDLs, and need to be checked
};

/// Takes what a fetch yields, in order. Both calls may wait (the target is slower): that wait is
/// what bounds memory.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  /// A streamed body's pipe is filled by the source after this returns.
  virtual Task<void> message(Message message) = 0;
  /// The server listed this message, but gave no bytes for it even when asked alone. `gone` says
  /// that it is no longer listed either (it was expunged meanwhile); else it cannot be read, and
  /// `reason` has the server's words.
  virtual Task<void> missing(MessageKey key, bool gone, std::string reason) = 0;
  /// Where the source takes room for what it asks for in advance, and may have to hold because it
  /// comes before its turn; a message's is given back before message() is called. Null: it may be
  /// about 2 MiB.
  virtual Share* share() { return nullptr; }
  /// The source is about to wait for room there: what is here is not to wait for more.
  virtual void waiting() {}
  /// Bodies come at less than 1 KiB a second, for a minute of waiting now.
  virtual void crawling() {}
};

/// One message's recognisable header fields.
struct HeaderEntry {
  MessageKey key;
  HeaderFields fields;
};

/// What became of messages that the source was asked to remove.
struct Removal {
  enum class How {
    removed,  // the server says that they are gone
    marked,   // they can only be marked \Deleted, and are
    unknown,  // the answer that decides was lost, or is a refusal: a new session shows what is left
  };
  How how = How::removed;
  std::vector<MessageKey> keys;  // those it is true of; any other was refused, and stays
  std::string words;             // the server's, for what it refused
  bool session_over = false;     // only logout() may follow
};

struct Opened {
  FolderNumbers numbers;  // of the beginning
  Catalogue catalogue;
  bool changes_only = false;                  // the catalogue leaves out what is as it was
  std::optional<std::vector<UidRange>> uids;  // of all messages, where that was wanted and is known
};

/// What is known of a folder from a former time: all numbers but the size are there.
struct Since {
  FolderNumbers numbers;       // as they were
  std::vector<Uid> witnesses;  // messages of then, ascending; the last is the highest that was
  bool all_uids = false;       // what vanished is to be told, too
};

/// One logged-in connection. Not reentrant: one call at a time. After any Error but `rejected` the
/// session is dead; drop it. Cancelling a call leaves it dead too.
class SourceSession {
 public:
  virtual ~SourceSession() = default;
  /// Every folder of the account, with the numbers that the listing offers. POP3: INBOX.
  virtual Task<std::vector<FolderInfo>> list() = 0;
  /// Opens a folder read-only; the numbers are those of its beginning.
  virtual Task<FolderNumbers> select(const FolderName& folder) = 0;
  /// True where a catalogue may be a part of the folder, and that of the session after one which
  /// fetched it the next part (Gmail's POP3).
  virtual bool windowed() const { return false; }
  /// True where the server's software is known to show the whole folder to every session.
  virtual bool shows_all() const { return false; }
  /// The selected folder's messages, whole and unfiltered.
  virtual Task<Catalogue> catalogue() = 0;
  /// select() and catalogue() in one; where the connector can, in one round trip.
  virtual Task<Opened> open_with_catalogue(FolderName folder) {
    Opened opened;
    opened.numbers = co_await select(folder);
    opened.catalogue = co_await catalogue();
    co_return opened;
  }
  /// The same, but the catalogue may be only of what changed (RFC 7162) or has another UID than any
  /// message had, and of the witnesses, as far as they are there. Whether it is that, for all that
  /// the server says, is for the caller to check: what vanished is not told.
  virtual Task<Opened> open_with_changes(FolderName folder, Since since) {
    (void)since;
    return open_with_catalogue(std::move(folder));
  }
  /// Each of these folders as open_with_catalogue() shows it, but size and date need be there of
  /// the newest message only; one that is refused may be left out. Where the connector can, all are
  /// asked for at once.
  virtual Task<void> glance(std::vector<FolderName> folders,
                            std::function<Task<void>(FolderName, Opened)> take) {
    for (FolderName& folder : folders) {
      Opened opened;
      try {
        opened = co_await open_with_catalogue(folder);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::rejected) throw;
        continue;
      }
      co_await take(std::move(folder), std::move(opened));
    }
  }
  /// The UIDs of the selected folder's messages, whole and unfiltered, ascending.
  virtual Task<std::vector<UidRange>> uids() {
    const Catalogue all = co_await catalogue();
    std::vector<UidRange> ranges;
    for (std::size_t i = 0; i < all.size(); ++i) ranges.push_back({all.uid(i), all.uid(i)});
    co_return ranges;
  }
  /// Header fields of the given messages; those that are gone are left out. Any order of result.
  virtual Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) = 0;
  /// Fetches whole messages in the order given (entries with sizes, for windows planned by bytes),
  /// two or more windows in flight. Each key ends in exactly one call of the sink; those asked for
  /// again one by one come last. Never marks a message as read.
  virtual Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) = 0;
  /// Removes just these messages of the selected folder, all of them in its last catalogue(); never
  /// any other message, whatever is marked \Deleted. Where it throws, a new session shows what is
  /// left.
  virtual Task<Removal> remove(std::vector<MessageKey> keys) = 0;
  /// Another session on the same connection, with a folder of its own, whose calls overlap with
  /// this one's instead of waiting for them; null where that cannot be. They share their fate: when
  /// one is dead, all are. For many small folders: each switch between them costs the server a
  /// look.
  virtual std::unique_ptr<SourceSession> fork() { return nullptr; }
  /// True when the connection is known to be dead, whichever of its sessions was the cause.
  virtual bool lost() const { return false; }
  /// What the server says it can do, in its own words, for people.
  virtual std::vector<std::string> offers() const { return {}; }
  /// Which software the server is, if that is recognised: "Dovecot", "Gmail".
  virtual std::string software() const { return {}; }
  /// Says goodbye, if no other session is on the connection and it is not lost; never throws but
  /// Cancelled.
  virtual Task<void> logout() = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  /// Connects and logs in. Throws Error{unreachable|tls|auth|transient|protocol|throttled}.
  virtual Task<std::unique_ptr<SourceSession>> connect() = 0;
  /// Which folders are carried: from now on a catalogue of one that holds the rest (Gmail's All
  /// Mail) leaves out what any of the others shows.
  virtual void carried(const std::vector<FolderInfo>& folders) { (void)folders; }
  /// How many sessions may be used at once.
  virtual int max_sessions() const = 0;
  /// "imaps://ann@old.example", for people.
  virtual std::string describe() const = 0;
};

}  // namespace postferry
