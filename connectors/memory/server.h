// A mail server in memory: folders, messages, and the misfortunes a test plans for it.
// Deterministic: time is the executor's, and nothing happens that was not asked for.
// Must not know the engine's plans, nor any protocol.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/async/executor.h"
#include "engine/error.h"
#include "engine/model.h"
#include "engine/target.h"

namespace postferry {

class MemoryServer;

struct MemoryMessage {
  Uid uid;
  std::string bytes;
  Flags flags;
  std::optional<InternalDate> date;
  std::optional<std::string> uidl = {};            // else made of the UID
  std::optional<std::uint64_t> listed_bytes = {};  // as the listing lies
  bool popped = false;                             // fetched in a session that ended well
  std::uint64_t modseq = 0;                        // of its last change
};

struct MemoryFolder {
  FolderName name;
  Role role = Role::none;
  bool selectable = true;
  bool subscribed = false;
  std::uint32_t uid_validity = 1;
  Uid uid_next{1};
  std::uint64_t highest_modseq = 2;
  std::vector<MemoryMessage> messages;  // ascending UIDs

  /// Null when it is not there.
  MemoryMessage* find(Uid uid);
  /// Stores a message under the next UID.
  Uid add(std::string bytes, Flags flags = {}, std::optional<InternalDate> date = {});
  /// False when it is not there.
  bool remove(Uid uid);
  void set_flags(MemoryMessage& message, Flags flags);
};

/// UIDPLUS, batches of ten messages, and nothing else out of the ordinary.
TargetTraits roomy_traits();

/// What kind of server it is; set before the first session.
struct MemoryOptions {
  std::string name = "memory";
  TargetTraits traits = roomy_traits();
  bool uidl_keys = false;      // as POP3: keys are UIDLs, and there are neither flags nor dates
  bool condstore = false;      // HIGHESTMODSEQ is told
  bool tells_changes = false;  // a catalogue may be of what changed only (CONDSTORE)
  bool list_numbers = true;    // a listing has numbers (LIST-STATUS)
  int max_sessions = 4;
  std::uint32_t uid_validity = 1;  // of new folders
  Duration round_trip{};  // each call takes this long
  std::size_t stream_above = kHoldLimit;
  std::size_t window = 0;     // a source shows only so many that no session has fetched and left
  bool says_windowed = true;  // and is known for that
  std::optional<std::uint64_t> quota_bytes;
  std::optional<std::vector<std::string>> keywords;  // those a folder takes; unset: any
};

/// One planned end of a line. It comes when `after` messages have crossed since the one before.
struct MemoryStop {
  /// What becomes of the batch that was under way.
  enum class Fate {
    none,    // nothing of it is stored
    prefix,  // the messages before the stop are stored, unanswered
    whole,   // all of it is stored, unanswered
    late,    // all of it is stored, but only from `late_by` on, each `late_step` after the other
  };

  std::uint64_t after = 0;
  Fate fate = Fate::none;
  Duration late_by{};
  Duration late_step{};
  Error error{ErrorKind::transient, "the connection was lost"};
  std::uint64_t body_bytes = 0;  // of the next streamed body, for a stop while fetching
};

/// What becomes of a removal whose answer does not come.
enum class MemoryRemoval { lost_undone, lost_done, refused };

struct MemoryFaults {
  std::deque<MemoryStop> append_stops, fetch_stops;
  std::deque<Error> connect_errors;    // one for each of the next connects
  std::deque<MemoryRemoval> removals;  // one for each of the next removals from a source
  /// The words with which an APPEND is refused; nothing to take it. May throw Error, which ends the
  /// line.
  std::function<std::optional<std::string>(const MemoryMessage&)> refuse;
  /// The same for STORE.
  std::function<std::optional<std::string>(const Flags&)> refuse_store;
  /// Called before the bytes of a message go out; may throw Error, which ends the line.
  std::function<void(const FolderName&, const MemoryMessage&)> on_fetch;
  /// Listed, but its bytes cannot be had; with the server's words.
  std::map<std::pair<FolderName, Uid>, std::string> unreadable;
  /// Called when the server hears a call ("select", "fetch" ...; "batch" for each of an append),
  /// before it answers: the place to change the server in the middle of things. May throw Error,
  /// which ends the line unless it is `rejected`.
  std::function<void(MemoryServer&, std::string_view call)> on_call;
};

class MemoryServer {
 public:
  explicit MemoryServer(MemoryOptions options = {});
  MemoryServer(const MemoryServer&) = delete;
  MemoryServer& operator=(const MemoryServer&) = delete;

  const MemoryOptions& options() const { return options_; }
  MemoryFaults faults;
  /// How often each call was made.
  std::map<std::string, int, std::less<>> calls;
  /// Messages stored by APPEND, late ones too.
  std::uint64_t appended = 0;
  /// Messages that looks at a target listed.
  std::uint64_t looked_at = 0;

  /// In the order in which they were made. References stay good until a folder is removed.
  std::deque<MemoryFolder>& folders() { return folders_; }
  /// Finds or makes.
  MemoryFolder& folder(const FolderName& name);
  MemoryFolder& folder(std::string_view name) { return folder(FolderName::parse(name)); }
  /// Null when it is not there.
  MemoryFolder* find(const FolderName& name);
  void remove_folder(const FolderName& name);
  /// Gives a folder another UIDVALIDITY and its messages new UIDs, as a rebuilt index does.
  void renumber(const FolderName& name, std::uint32_t uid_validity);
  /// Cuts every line: each session fails at its next call.
  void drop_sessions() { ++line_; }
  int sessions() const { return sessions_; }
  std::uint64_t stored_bytes() const;

  /// Stores what lost lines left behind, as far as it is due.
  void arrive(TimePoint now);
  /// Stores all of it.
  void arrive_all() { arrive(TimePoint::max()); }

  // For the sessions.

  /// Throws what is planned for this connect, or Error{throttled} when there are too many.
  void open_session();
  void close_session() { --sessions_; }
  std::uint64_t line() const { return line_; }
  /// Takes a message as APPEND does; the words of a refusal otherwise. Throws Error{quota}.
  AppendResult append(MemoryFolder& folder, MemoryMessage message);
  void append_late(const FolderName& folder, MemoryMessage message, TimePoint when);
  /// Counts one message that crosses; the stop that it runs into instead, if one is planned here.
  std::optional<MemoryStop> next_append() { return next(faults.append_stops, append_count_); }
  std::optional<MemoryStop> next_fetch() { return next(faults.fetch_stops, fetch_count_); }

 private:
  struct Late {
    FolderName folder;
    MemoryMessage message;
    TimePoint when;
  };

  Stored store(MemoryFolder& folder, MemoryMessage message);
  std::optional<std::string> refusal(const MemoryMessage& message) const;
  static std::optional<MemoryStop> next(std::deque<MemoryStop>& stops, std::uint64_t& count);

  MemoryOptions options_;
  std::deque<MemoryFolder> folders_;
  std::vector<Late> late_;  // by time
  int sessions_ = 0;
  std::uint64_t line_ = 0;
  std::uint64_t append_count_ = 0, fetch_count_ = 0;
};

}  // namespace postferry
