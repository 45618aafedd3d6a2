// How each message of a source folder stands: its catalogue joined with the journal, and what
// follows from that. It asks the journal and knows no server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/crossing/windows.h"
#include "engine/settle/follow.h"
#include "engine/settle/settle.h"

namespace postferry {

/// Of one folder in one attempt. A catalogue is whole, or has only what changed: then `unlisted`
/// counts the others, each of which has its row and is not looked at.
class Standings {
 public:
  /// All outlive it.
  Standings(Journal& journal, const CrossingOptions& options, const Windows& windows, RunId run)
      : journal_(journal), options_(options), windows_(windows), run_(run) {}

  /// A whole catalogue: everything is due, until it is joined.
  void list(Catalogue listed, const FolderNumbers& begun);
  /// As after list().
  void forget();
  /// Merge-joins the catalogue with the folder's rows, a page of rows at a time; what an earlier
  /// join told is forgotten.
  Task<void> join_rows(FolderId folder);

  /// What changed and arrived since `record`'s last crossing. False where it does not add up with
  /// the journal, so that only a whole catalogue can tell: nothing may be done then.
  Task<bool> join_changes(const FolderRecord& record, Opened changed, SourceSession& source);

  /// What the user settled is not tried again, nor in this run what failed in it, however often the
  /// line is lost; what failed in an earlier one is. What is no longer at the source failed
  /// nowhere; a source that is `windowed` may only not show it. Without `keys_hold` no failure is
  /// known. What crossed and was left behind at the source counts as it stands, but is due again
  /// where what failed is asked for.
  Task<void> join_failures(FolderId folder, bool windowed, bool keys_hold);
  /// For when the target has been looked at. Nothing that is still due was taken, repaired or not:
  /// it comes as it is. But what this run has sent repaired, before the line was lost, is refused:
  /// the target would not have it as it is. And what was taken and not found again is held, until
  /// what failed is asked for: it would be there once more each time.
  void hold_back();
  /// What the user's options leave out.
  void filter();

  /// The target was looked at since: the UIDs of copies of what is gone, which had become void.
  Task<void> place_gone(FolderId folder);

  /// For a dry run: the target was replaced, and what has crossed must be found there again.
  void lose_places();

  std::size_t due() const;
  /// At most `most`. Those that failed before come last: what has never been tried must not wait.
  std::vector<Catalogue::Entry> due_entries(std::size_t most) const;
  /// The last of those, alone.
  std::vector<Catalogue::Entry> last_due() const;
  /// The sum, windows before this one included.
  Tally tally(std::uint64_t twins) const;

  Catalogue catalogue;
  std::vector<Standing> standing;  // one for each of its entries
  std::uint64_t unlisted = 0;
  std::vector<FlagChange> flag_changes;
  std::vector<MessageRow> gone;                // rows whose key is missing; for mirrored deletions
  std::map<std::size_t, MessageRow> unplaced;  // rows whose target UID became void, by entry
  std::vector<MessageRow> orphans;             // the same of what is no longer at the source
  std::uint64_t bytes_before = 0;              // copied by this run in earlier attempts
  std::size_t known = 0;                       // messages that had crossed
  bool moved = false;                          // recorded keys name other messages now
  /// Of the rows whose message may be another the one with the highest UID: if it is, all are.
  std::optional<MessageRow> in_question;
  /// With which messages were sent; of those that are due, were sent perhaps.
  std::map<MessageKey, Repairs> repairs;
  /// What must go in the plainest form, by entry: it goes last, and apart.
  std::set<std::size_t> plain;

 private:
  void join(const MessageRow& row, std::optional<std::size_t> index);
  Task<void> send_left_behind(FolderId folder, std::vector<MessageKey> keys);
  Task<bool> find_gone(const FolderRecord& record, const std::vector<UidRange>& there);

  Journal& journal_;
  const CrossingOptions& options_;
  const Windows& windows_;
  const RunId run_;
  std::optional<std::uint32_t> uid_next_;  // when the catalogue was begun
  std::set<std::size_t> failed_before_;    // in an earlier run
  std::set<std::size_t> held_;             // may have been taken: not sent again
};

}  // namespace postferry
