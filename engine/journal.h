// The port to what is remembered. Implemented by state; every call is atomic and asynchronous.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/async/task.h"
#include "engine/digest.h"
#include "engine/ledger.h"
#include "engine/model.h"
#include "engine/repair.h"

namespace postferry {

struct RunId {
  std::int64_t value = 0;
  auto operator<=>(const RunId&) const = default;
};
struct AccountId {
  std::int64_t value = 0;
  auto operator<=>(const AccountId&) const = default;
};
/// One source folder of one account.
struct FolderId {
  std::int64_t value = 0;
  auto operator<=>(const FolderId&) const = default;
};
/// One folder of a target mailbox, whoever fills it: watermark and batches belong to it.
struct TargetFolderId {
  std::int64_t value = 0;
  auto operator<=>(const TargetFolderId&) const = default;
};

/// appended: this journal's own; adopted: was there already; folded: the server answered with an
/// older message's UID.
enum class Origin : std::uint8_t { appended = 1, adopted = 2, folded = 3 };

/// How far a message has come that --after-copy may take from the source. Only ever rises, but when
/// the source shows again what was taken away, or the target has lost the copy that was seen.
enum class MessageState : std::uint8_t {
  copied = 0,    // the target said so
  seen = 1,      // its copy was seen on the target; one that was not ours, to have its bytes
  leaving = 2,   // the source was asked to remove it; what it did is not known
  marked = 3,    // the source could only be told to mark it \Deleted
  removed = 4,   // removed from the source by us
  unknown = 5,   // handed to a relay, or about to be, and no answer is known
  left_out = 6,  // not copied: its date, which the listing does not tell, is not wanted
};
/// We asked the source to remove it, or know that it is removed.
constexpr bool was_sent_away(MessageState state) {
  return state >= MessageState::leaving && state <= MessageState::removed;
}

/// A message that has crossed, or one that was fetched for nothing (left_out, as if adopted without
/// a copy).
struct MessageRow {
  /// Of a folder of UIDs a text where the UID is void: the source has the message no longer.
  MessageKey key;
  /// As listed_bytes: the source's last listing did not have the message.
  static constexpr std::uint64_t kNotListed = 0x7fff'ffff'ffff'ffff;

  std::uint64_t size_bytes = 0;
  std::optional<Sha256> sha256;      // of the bytes sent; none if adopted
  Flags flags;                       // the source's, as last read
  Uid target_uid;                    // 0: not yet learned (no UIDPLUS), or not an IMAP target
  std::optional<InternalDate> date;  // of the target copy
  RunId run;
  Origin origin = Origin::appended;
  std::int64_t copied_at = 0;  // seconds since 1970 UTC; of an adopted one: when it was found
  MessageState state = MessageState::copied;
  // By these a key is checked, and a UIDL found again under another name.
  std::optional<std::uint64_t> listed_bytes;  // the size that the source's listing told
  std::optional<std::uint64_t> header;  // header_hash() of what the source has, if it was read
  Repairs repairs = {};                 // with which it was sent: not the source's bytes
};

/// Why --after-copy left a message at the source, until the user says what shall become of it.
enum class LeftBecause : std::uint8_t {
  copy_gone = 1,     // the target has no copy, or not as it was
  copy_differs = 2,  // what was there before us only looks like it
  not_proved = 3,    // the source's name may belong to another message now
  no_header = 4,     // it may as well, and the source does not give its header
};

/// A message that the target refused, for good or for now, or that the source cannot give; or one
/// that has crossed, and was left at the source.
struct FailureRow {
  MessageKey key;
  std::uint64_t size_bytes = 0;
  std::string text;  // the server's words, or why it was left
  RunId run;
  bool accepted = false;  // the user has settled it: not tried again, no failure of later runs
  // Of one that a relay takes later, perhaps: seconds since 1970 UTC.
  std::optional<std::int64_t> due_at = {};
  std::int64_t deferred_since = 0;
  int tries = 0;
  Repairs repairs = {};  // with which it is being sent: whether it was taken may not be known
  std::optional<LeftBecause> left = {};
};

/// What a row says of the message's copy.
struct CopySize {
  Uid uid;
  std::uint64_t size_bytes = 0;
  auto operator<=>(const CopySize&) const = default;
};
struct CopyLook {
  std::uint64_t size_bytes = 0;
  std::int64_t date = 0;  // seconds since 1970 UTC
  auto operator<=>(const CopyLook&) const = default;
};

struct OpenBatch {
  std::int64_t id = 0;
  FolderId folder;  // of the source keys
  /// Of the target folder when it was sent. 0: there was none, or the folder has been replaced
  /// since: then nothing tells what came late from what was there before.
  std::uint32_t uid_validity = 0;
  Uid uid_next;  // of the target folder before the batch was sent
  std::vector<MessageKey> keys;
  std::vector<Flags> flags;    // with which each was sent; empty where an earlier format kept none
  std::int64_t opened_at = 0;  // seconds since 1970 UTC
  bool settled = false;        // decided, kept only for late arrivals
  RunId run;                   // that sent it; once settled, that gave it up
};

/// One run, as it is remembered.
struct RunRecord {
  RunId id;
  std::string command;
  std::int64_t started_at = 0;           // seconds since 1970 UTC
  std::optional<std::int64_t> ended_at;  // absent: under way, or it died
  Ledger ledger;                         // what it came to; empty while it has not ended
  std::uint64_t copied_so_far = 0;       // of one that has not ended
};

/// What a run copied in one step of its time.
struct RatePoint {
  std::int64_t step = 0;
  std::uint64_t messages = 0, bytes = 0;
};

/// What is known of a source folder.
struct FolderRecord {
  FolderId id;
  FolderName source;
  FolderName target;  // the mapping, decided once
  TargetFolderId target_folder;
  /// The source's numbers, from the SELECT that began the last completed crossing; empty when the
  /// last one did not complete with nothing failed, pending or open.
  std::optional<FolderNumbers> completed;
  std::string options_hash;                          // under which it completed
  std::uint64_t completed_present = 0;               // how many messages were on the target then
  std::optional<std::uint32_t> source_uid_validity;  // under which the message rows hold
  /// It has been compared with all of its target folder; else the watermark does not hold for it.
  bool matched = false;
  // Of the target folder, here so that one call tells of all folders what the skip rule needs.
  std::optional<std::uint32_t> target_uid_validity;
  Uid target_uid_next_seen;
  bool batches_open = false;  // any account's
};

/// What is known of a target folder.
struct TargetFolderRecord {
  TargetFolderId id;
  std::optional<std::uint32_t> uid_validity;
  Uid watermark{1};   // every target message below is accounted for
  Uid uid_next_seen;  // the highest UIDNEXT seen, to notice a server that went back
};

enum class Direction : std::uint8_t { down, up };
constexpr const char* to_string(Direction direction) {
  return direction == Direction::down ? "down" : "up";
}

/// What one login carried in one hour.
struct TrafficHour {
  std::int64_t hour = 0;  // since 1970 UTC
  std::uint64_t bytes = 0;
};

/// What one crossing step has to say; written together or not at all.
struct Record {
  FolderId folder;
  TargetFolderId target_folder;
  /// The source's names mean other messages now. Before all else, the folder's rows and failures
  /// are deleted, it counts as not matched, and its batches lose their keys.
  bool void_keys = false;
  std::optional<std::uint32_t> source_uid_validity;  // under which the keys hold
  std::vector<MessageKey> forget;  // rows and failures deleted, before others are written
  /// Of messages that have another name now, what they were called and are: in batches.
  std::vector<std::pair<MessageKey, MessageKey>> renamed;
  std::vector<MessageRow> rows;              // inserted or replaced
  std::vector<FailureRow> failures;          // inserted or replaced
  std::vector<std::int64_t> close_batches;   // deleted
  std::vector<std::int64_t> settle_batches;  // kept for late arrivals, as given up by `run`
  RunId run;
  std::optional<Uid> watermark;  // and `folder` is matched up to it
  std::optional<std::uint32_t> target_uid_validity;
  std::optional<Uid> uid_next_seen;
};

/// The identities of a pair of ends.
struct EndNames {
  std::string source, target;
  bool operator==(const EndNames&) const = default;
};

class Journal {
 public:
  virtual ~Journal() = default;

  /// Finds or makes the account for this pair of ends. Throws Error{journal}; Error{usage} when the
  /// journal holds a pair with other ends under this name.
  virtual Task<AccountId> account(std::string name, std::string source_identity,
                                  std::string target_identity) = 0;
  /// Whether there is an account of this name. Never writes.
  virtual Task<bool> knows(std::string name) = 0;
  /// The identities of its ends, as they were given to account(). Never writes.
  virtual Task<std::optional<EndNames>> ends_of(std::string name) = 0;
  /// The mailboxes of an account are called otherwise now, for all accounts of the journal. Throws
  /// Error{usage} when other mailboxes are called so already.
  virtual Task<void> rename_ends(EndNames from, EndNames to) = 0;
  virtual Task<RunId> begin_run(AccountId account, std::int64_t started_at,
                                std::string command) = 0;
  /// Keeps the whole ledger but for the account's name.
  virtual Task<void> end_run(RunId run, std::int64_t ended_at, Ledger ledger) = 0;
  /// The account's runs, the newest first, at most `limit`.
  virtual Task<std::vector<RunRecord>> runs(AccountId account, std::size_t limit) = 0;
  virtual Task<std::optional<RunRecord>> run(AccountId account, RunId run) = 0;
  /// What of the messages that this run copied arrived when, by steps from `from` (seconds since
  /// 1970) on: those in which any did, ascending. Only messages that are still known.
  virtual Task<std::vector<RatePoint>> rates(AccountId account, RunId run, std::int64_t from,
                                             std::int64_t step_seconds) = 0;
  /// True when no run of this account has ever recorded anything.
  virtual Task<bool> is_new(AccountId account) = 0;

  virtual Task<std::vector<FolderRecord>> folders(AccountId account) = 0;
  /// Finds or makes the row for a source folder; once its target was opened, it keeps that mapping.
  virtual Task<FolderRecord> folder(AccountId account, FolderName source, FolderName target) = 0;
  virtual Task<TargetFolderRecord> target_folder(TargetFolderId id) = 0;
  /// A source folder has another name now, which no other has. What is known of it stays; it does
  /// not count as completed.
  virtual Task<void> rename_folder(FolderId folder, FolderName source) = 0;
  /// Sets or (nullopt) clears FolderRecord::completed and what belongs to it.
  virtual Task<void> complete(FolderId folder, std::optional<FolderNumbers> numbers,
                              std::string options_hash, std::uint64_t present) = 0;
  /// A backup that is put back at the target shows in some folder's UIDNEXT. In another as many
  /// messages may have come since as were lost, and then its numbers are what they were: so no
  /// source folder that fills the target mailbox of this account, whosever it is, counts as
  /// completed any more, until it has been looked at again.
  virtual Task<void> doubt_target(AccountId account) = 0;
  /// Rows in key order (UIDs ascending; UIDLs by bytes), those after `after`, at most `limit`.
  virtual Task<std::vector<MessageRow>> rows(FolderId folder, MessageKey after,
                                             std::size_t limit) = 0;
  /// The rows with the highest UIDs, the highest first; without any UID, with the last UIDLs.
  virtual Task<std::vector<MessageRow>> newest_rows(FolderId folder, std::size_t limit) = 0;
  /// The rows whose UID is in none of these ranges, which ascend.
  virtual Task<std::vector<MessageRow>> rows_outside(FolderId folder,
                                                     std::vector<UidRange> ranges) = 0;
  /// The rows of these keys, as far as there are any.
  virtual Task<std::vector<MessageRow>> rows_for(FolderId folder, std::vector<MessageKey> keys) = 0;
  /// Those that this run appended, in the same way.
  virtual Task<std::vector<MessageRow>> rows_of_run(FolderId folder, RunId run, MessageKey after,
                                                    std::size_t limit) = 0;
  virtual Task<std::vector<FailureRow>> failures(FolderId folder) = 0;
  /// Settles all failures of a folder for good; another refusal of the same message stays settled.
  virtual Task<void> accept_failures(FolderId folder) = 0;
  /// Target UIDs >= from that any row of any account names, ascending.
  virtual Task<std::vector<Uid>> named(TargetFolderId folder, Uid from) = 0;
  /// The rows of any account that name the highest target UIDs, at most `limit` a source folder.
  virtual Task<std::vector<MessageRow>> last_rows(TargetFolderId folder, std::size_t limit) = 0;
  /// The copies that rows of any account name, of those that have one of these sizes.
  virtual Task<std::vector<CopySize>> copies_sized(TargetFolderId folder,
                                                   std::vector<std::uint64_t> sizes) = 0;
  /// What rows of other source folders, of any account, say of copies in this target folder whose
  /// UID is void, or not known; those without a date are left out.
  virtual Task<std::vector<CopyLook>> copies_without_uid(TargetFolderId folder,
                                                         FolderId other_than) = 0;
  /// Rows that name these target UIDs.
  virtual Task<std::vector<MessageRow>> rows_at(TargetFolderId folder, std::vector<Uid> uids) = 0;

  virtual Task<std::vector<OpenBatch>> open_batches(TargetFolderId folder) = 0;
  /// Written, not fsynced: survives kill -9 (DESIGN section 4). Returns the batch's id.
  virtual Task<std::int64_t> open_batch(TargetFolderId folder, OpenBatch batch) = 0;
  virtual Task<void> record(Record record) = 0;
  /// New flags as last read from the source.
  virtual Task<void> update_flags(FolderId folder,
                                  std::vector<std::pair<MessageKey, Flags>> flags) = 0;
  virtual Task<void> forget(FolderId folder, std::vector<MessageKey> keys) = 0;
  /// Rows of messages that are still at the source for all we know (state below `marked`), whose
  /// copy has its bytes (no repairs), and were copied at `copied_until` or before, in key order,
  /// those after `after`, at most `limit`.
  virtual Task<std::vector<MessageRow>> removable(FolderId folder, std::int64_t copied_until,
                                                  MessageKey after, std::size_t limit) = 0;
  virtual Task<void> set_state(FolderId folder, std::vector<MessageKey> keys,
                               MessageState state) = 0;
  /// The target folder was replaced (UIDVALIDITY changed or UIDNEXT went back): target UIDs of all
  /// its rows become 0, its watermark and the UIDNEXT of its batches 1, their UIDVALIDITY 0, and
  /// nothing counts as matched.
  virtual Task<void> reset_target_folder(TargetFolderId folder, std::uint32_t uid_validity) = 0;
  /// What this login carried in this direction, from that hour on, ascending.
  virtual Task<std::vector<TrafficHour>> traffic(std::string login, Direction direction,
                                                 std::int64_t from_hour) = 0;
  /// Adds to what it carried; hours of more than a month before are forgotten.
  virtual Task<void> add_traffic(std::string login, Direction direction, TrafficHour more) = 0;
  /// fsync: everything recorded before is on the disk when this returns.
  virtual Task<void> make_durable() = 0;
};

}  // namespace postferry
