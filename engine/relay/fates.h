// How each message of a folder stands on its way to a relay: its catalogue joined with the journal.
// There is no target to look at, so what a row says is all that is known.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/crossing/windows.h"
#include "engine/relay/crossing.h"

namespace postferry {

enum class Fate : std::uint8_t {
  due,
  waiting,   // put off: its time has not come
  present,   // handed over by an earlier run
  sent,      // by this one
  filtered,  // left out by the user's options
  rejected,
  accepted,  // refused before, and settled by the user
  vanished,
  unknown,
};

/// Of one folder in one attempt.
class RelayFates {
 public:
  /// All outlive it.
  RelayFates(RelayEnds ends, SourceSession& source, const CrossingOptions& options,
             const Windows& windows, RunId run)
      : ends_(ends), source_(source), options_(options), windows_(windows), run_(run) {}

  /// Everything is due, until it is joined.
  void list(FolderRecord of, Opened opened);
  /// What rows and failures say, and the user's options. Keys that no longer mean what they meant
  /// are noticed, and the rows move to the messages with their bytes.
  Task<void> join();

  std::size_t due() const;
  /// At most `most`. Those that failed before come last: what has never been tried must not wait
  /// for them.
  std::vector<Catalogue::Entry> due_entries(std::size_t most) const;
  /// The sum, windows before this one included.
  Tally tally() const;
  /// To be filled with what happened to some of them.
  Record new_record() const;

  FolderRecord folder;
  FolderNumbers begun;
  Catalogue catalogue;
  std::vector<Fate> fates;                          // one for each of its entries
  std::set<MessageKey> doubtful;                    // unknown since an earlier attempt
  std::map<std::size_t, FailureRow> failed_before;  // by entry
  std::size_t known = 0;                            // that had crossed
  std::uint64_t bytes_before = 0;                   // sent by this run in earlier attempts

 private:
  template <class Take>
  Task<void> for_each_row(Take take);
  Task<void> check_keys();
  Task<void> move_rows(std::vector<MessageRow> rows);
  void join(const MessageRow& row);
  Task<void> join_rows();
  Task<void> join_failures();
  void filter();

  RelayEnds ends_;
  SourceSession& source_;
  const CrossingOptions& options_;
  const Windows& windows_;
  const RunId run_;
  bool keys_void_ = false;         // no key of the journal's means what it meant
  std::vector<MessageRow> moved_;  // then: the rows, under the keys of today
};

}  // namespace postferry
