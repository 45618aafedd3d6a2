// What a copy would meet: which folder would go where, how much there is to carry, and what would
// fail. Only reads, and marks nothing as read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/crossing/crossing.h"
#include "engine/model.h"

namespace postferry {

struct CheckRequest {
  Source& source;
  Target& target;
  Journal* journal = nullptr;  // of an earlier run, if there is one; may be read-only
  Observer& observer;
  AccountIdentity account;
  CrossingOptions options;
};

struct CheckedFolder {
  FolderName source, target;
  bool exists = false;  // on the target
  /// messages = present + filtered + due, always.
  std::uint64_t messages = 0, size_bytes = 0;  // at the source
  std::uint64_t present = 0;                   // copied by an earlier run
  std::uint64_t filtered = 0;                  // left out by the options
  std::uint64_t due = 0, due_bytes = 0;        // to be copied
  std::uint64_t too_big = 0;                   // of those due: above the target's limit
};

struct CheckReport {
  std::vector<CheckedFolder> folders;
  std::vector<FolderName> left_out;   // they show mail of other folders
  std::vector<std::string> notes;     // what will be different from what one may expect
  std::vector<std::string> problems;  // what would fail
  std::optional<TargetTraits> traits;
  std::vector<std::string> source_offers, target_offers;
  std::string source_software, target_software;  // if recognised
  std::vector<Quota> quotas;                     // of the target's INBOX
  int source_sessions = 0, target_sessions = 0;
  /// How long one session would read what is due, from a small sample; none where there is nothing
  /// to sample. The target's own pace shows only when it is written to.
  std::optional<double> seconds_to_read;
};

/// Logs in at both ends and looks. Folders that cannot be opened, messages that the target would
/// not take, and too little room are problems in the report; throws Error for what keeps it from
/// looking at all, and Cancelled.
Task<CheckReport> check_account(CheckRequest request);

}  // namespace postferry
