// What `failed`, `undo` and `status` have to say, for people.
#pragma once

#include <string>
#include <vector>

#include "cli/report.h"

namespace postferry::cli {

/// One line a message, and a sum; with `brief` only those that are not accepted.
/// `held`: the folders and what stopped the account, which hold back more.
std::string failed_text(const std::vector<FailedMessage>& failed, const Ledger& held, bool brief);

std::string undo_text(const UndoReport& undo, bool dry_run);

std::string status_text(const RunHistory& history);

/// "2026-11-24 17:00", UTC.
std::string utc_text(std::int64_t seconds);

}  // namespace postferry::cli
