// The journal's tables, as numbered migrations: how a file is recognised, made, and brought up to
// date. Must not know what the rows mean to a crossing.
#pragma once

#include "state/sqlite.h"

namespace postferry::state {

/// The newest format this program knows; the file's PRAGMA user_version.
extern const int kSchemaVersion;

/// Makes the tables of an empty database, or brings an older journal up to date, all or nothing.
/// Throws Error{journal} when the file is another program's, or of a newer format, or cannot be
/// written.
void migrate(Database& database);

/// For a journal that may only be read. Throws Error{journal} when it is not one of the newest
/// known format: a migration would have to write.
void require_schema(Database& database);

}  // namespace postferry::state
