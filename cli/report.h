// What a command came to, for the two ways of telling it: ledger_text and ledger_json.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/job_text.h"
#include "cli/rate_chart.h"
#include "engine/crossing/check.h"
#include "engine/journal.h"
#include "engine/ledger.h"
#include "engine/model.h"
#include "engine/proof/undo.h"
#include "engine/proof/verify.h"
#include "engine/repair.h"

namespace postferry::cli {

/// A message that could not be copied, or was left behind at the source, and why.
struct Refusal {
  FolderName folder;  // of the source
  MessageKey key;
  std::string text;  // the server's words
  bool left_behind = false;
};

/// The same, as `failed` shows it.
struct FailedMessage {
  FolderName folder;  // of the source
  FailureRow row;
  bool unknown = false;                              // a relay may have delivered it
  std::optional<std::uint32_t> source_uid_validity;  // under which its key holds
  std::string exported_to;                           // the file it was written to
  std::string not_exported;                          // why it was not, where that was asked for
};

/// A message that has crossed with repairs.
struct RepairedMessage {
  FolderName folder;  // of the source
  MessageKey key;
  Repairs repairs;
  std::string original;  // the file where it is kept, or of a past run the directory
};

/// What no Error tells: a bug, or a second signal.
struct OtherFailure {
  std::string kind, message;
};

/// Of what should never have been thrown.
OtherFailure bug_failure(const std::exception& bug);

/// What `status` shows.
struct RunHistory {
  std::string journal;
  std::vector<RunRecord> runs;        // the newest first
  std::optional<std::string> holder;  // of the journal now: a process number
};

struct Report {
  bool dry_run = false;
  std::string source, target;  // for people
  Ledger ledger;
  std::vector<Refusal> refusals;
  std::vector<RepairedMessage> repaired;
  std::map<FolderName, std::uint64_t> planned_bytes;  // of a dry run, by source folder
  std::optional<CheckReport> check;
  std::optional<VerifyReport> verify;
  std::optional<std::vector<FailedMessage>> failed;
  std::optional<UndoReport> undo;
  std::optional<RunHistory> history;
  std::optional<RunRecord> past;  // the run that `report` shows; its ledger is `ledger`
  std::optional<Rates> rates;     // of that run
  std::optional<OtherFailure> failure;
  bool held_back = false;  // of a retry: what only copy can go on with is among the ledger's errors
};

/// What a command came to for the accounts of a job.
struct JobReport {
  std::string path;
  bool dry_run = false;
  std::int64_t run = 0;          // 0: none, or a dry run
  std::vector<Report> accounts;  // in the file's order; those that were chosen
  std::optional<Rates> rates;    // of the accounts' runs that went side by side
  std::vector<JobFault> faults;  // of the job file; then there are no accounts
  double seconds = 0;
  std::optional<OtherFailure> failure;  // that ended it all
  std::optional<std::string> holder;    // of the journal now, for `status`: a process number

  Outcome outcome() const;
  /// All folders of all accounts, for sums.
  Ledger total() const;
};

}  // namespace postferry::cli
