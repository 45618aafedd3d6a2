// The tables. They are meant to be read with the sqlite3 shell: `SELECT * FROM messages` shows
// everything that crossed, in words. A migration that has been released is never edited.

#include "state/schema.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string>

#include "engine/error.h"

namespace postferry::state {

namespace {

constexpr std::int64_t kApplicationId = 0x50465259;  // "PFRY"; file(1) may learn it

// message: its rows are the file. WITHOUT ROWID keeps them in key order and costs one tree less;
// `key` has no affinity (ANY), so that the UIDL "17" stays text; no foreign keys, because the
// look-up of a parent would cost each row as much as the row. target_uid is NULL while it is not
// known.
//
// batch.keys: a JSON array in the order of sending: numbers are UIDs, strings UIDLs.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE account (
  id      INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  source  TEXT NOT NULL,
  target  TEXT NOT NULL
) STRICT;

CREATE TABLE run (
  id          INTEGER PRIMARY KEY,
  account     INTEGER NOT NULL REFERENCES account,
  started_at  INTEGER NOT NULL,
  ended_at    INTEGER,
  outcome     TEXT,
  command     TEXT NOT NULL,
  summary     TEXT
) STRICT;
CREATE INDEX run_of_account ON run (account);

CREATE TABLE target_folder (
  id             INTEGER PRIMARY KEY,
  target         TEXT NOT NULL,
  name           TEXT NOT NULL,
  uid_validity   INTEGER,
  watermark      INTEGER NOT NULL DEFAULT 1,
  uid_next_seen  INTEGER NOT NULL DEFAULT 0,
  UNIQUE (target, name)
) STRICT;

CREATE TABLE folder (
  id                      INTEGER PRIMARY KEY,
  account                 INTEGER NOT NULL REFERENCES account,
  source                  TEXT NOT NULL,
  target_folder           INTEGER NOT NULL REFERENCES target_folder,
  uid_validity            INTEGER,
  completed               INTEGER NOT NULL DEFAULT 0,
  completed_uid_validity  INTEGER,
  completed_uid_next      INTEGER,
  completed_messages      INTEGER,
  completed_modseq        INTEGER,
  completed_size          INTEGER,
  completed_present       INTEGER NOT NULL DEFAULT 0,
  options_hash            TEXT NOT NULL DEFAULT '',
  UNIQUE (account, source)
) STRICT;
CREATE INDEX folder_of_target ON folder (target_folder);

CREATE TABLE flags (
  id     INTEGER PRIMARY KEY,
  names  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE message (
  folder      INTEGER NOT NULL,
  key         ANY NOT NULL,
  size        INTEGER NOT NULL,
  sha256      BLOB,
  flags       INTEGER NOT NULL,
  target_uid  INTEGER,
  date        INTEGER,
  zone        INTEGER,
  run         INTEGER NOT NULL,
  origin      INTEGER NOT NULL,
  PRIMARY KEY (folder, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_at ON message (folder, target_uid) WHERE target_uid IS NOT NULL;

CREATE TABLE failure (
  folder  INTEGER NOT NULL,
  key     ANY NOT NULL,
  size    INTEGER NOT NULL,
  text    TEXT NOT NULL,
  run     INTEGER NOT NULL,
  PRIMARY KEY (folder, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  target_folder  INTEGER NOT NULL REFERENCES target_folder,
  folder         INTEGER NOT NULL REFERENCES folder,
  run            INTEGER NOT NULL,
  uid_validity   INTEGER NOT NULL,
  uid_next       INTEGER NOT NULL,
  opened_at      INTEGER NOT NULL,
  settled        INTEGER NOT NULL,
  keys           TEXT NOT NULL
) STRICT;
CREATE INDEX batch_of_target ON batch (target_folder);
CREATE INDEX batch_of_folder ON batch (folder);

CREATE VIEW folders AS
  SELECT folder.id, folder.account, folder.source, target_folder.name AS target,
         folder.target_folder, folder.uid_validity, folder.options_hash, folder.completed,
         completed_uid_validity, completed_uid_next, completed_messages, completed_modseq,
         completed_size, completed_present
    FROM folder JOIN target_folder ON target_folder.id = folder.target_folder;

CREATE VIEW messages AS
  SELECT account.name AS account, folder.source AS folder, message.key, message.size,
         lower(hex(message.sha256)) AS sha256, flags.names AS flags,
         target_folder.name AS target, message.target_uid,
         datetime(message.date, 'unixepoch') AS date_utc, message.run,
         CASE message.origin WHEN 1 THEN 'appended' WHEN 2 THEN 'adopted' ELSE 'folded' END AS origin
    FROM message
    JOIN folder ON folder.id = message.folder
    JOIN account ON account.id = folder.account
    JOIN target_folder ON target_folder.id = folder.target_folder
    JOIN flags ON flags.id = message.flags;
)sql";

// What --after-copy needs to know of a message, and what tells a UIDL from another message's.
//
// copied_at, state, listed, header: see MessageRow. A row of format 1 counts as copied when its run
// ended; where that crashed, as late as any run is known to have begun.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE message ADD COLUMN copied_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN listed INTEGER;
ALTER TABLE message ADD COLUMN header INTEGER;
UPDATE message SET copied_at = coalesce(
  (SELECT coalesce(ended_at, (SELECT max(started_at) FROM run)) FROM run WHERE id = message.run),
  0);

DROP VIEW messages;
CREATE VIEW messages AS
  SELECT account.name AS account, folder.source AS folder, message.key, message.size,
         lower(hex(message.sha256)) AS sha256, flags.names AS flags,
         target_folder.name AS target, message.target_uid,
         datetime(message.date, 'unixepoch') AS date_utc, message.run,
         CASE message.origin WHEN 1 THEN 'appended' WHEN 2 THEN 'adopted' ELSE 'folded' END
           AS origin,
         datetime(message.copied_at, 'unixepoch') AS copied_utc,
         CASE message.state WHEN 0 THEN 'copied' WHEN 1 THEN 'seen' WHEN 2 THEN 'leaving'
                            WHEN 3 THEN 'marked' ELSE 'removed' END AS state
    FROM message
    JOIN folder ON folder.id = message.folder
    JOIN account ON account.id = folder.account
    JOIN target_folder ON target_folder.id = folder.target_folder
    JOIN flags ON flags.id = message.flags;
)sql";

// folder.matched: settle has compared this source folder with all of its target folder. Until then
// the target folder's watermark says nothing about it: another folder's or account's settle raised
// it.
constexpr const char* kVersion3 = R"sql(
ALTER TABLE folder ADD COLUMN matched INTEGER NOT NULL DEFAULT 0;
UPDATE folder SET matched = completed;

DROP VIEW folders;
CREATE VIEW folders AS
  SELECT folder.id, folder.account, folder.source, there.name AS target, folder.target_folder,
         folder.uid_validity, folder.options_hash, folder.completed, completed_uid_validity,
         completed_uid_next, completed_messages, completed_modseq, completed_size,
         completed_present, folder.matched, there.uid_validity AS target_uid_validity,
         there.uid_next_seen AS target_uid_next_seen,
         EXISTS (SELECT 1 FROM batch WHERE batch.target_folder = there.id) AS batches_open
    FROM folder JOIN target_folder there ON there.id = folder.target_folder;
)sql";

// What runs came to, folder by folder, and refusals that the user has settled. In run_folder
// `position` keeps the order; a folder that an earlier format left without a ledger has none.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE failure ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run DROP COLUMN summary;
ALTER TABLE run ADD COLUMN milliseconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN error_kind TEXT;
ALTER TABLE run ADD COLUMN error TEXT;
ALTER TABLE run ADD COLUMN error_context TEXT;

CREATE TABLE run_folder (
  run            INTEGER NOT NULL,
  position       INTEGER NOT NULL,
  source         TEXT NOT NULL,
  target         TEXT NOT NULL,
  seen           INTEGER NOT NULL,
  copied         INTEGER NOT NULL,
  present        INTEGER NOT NULL,
  filtered       INTEGER NOT NULL,
  rejected       INTEGER NOT NULL,
  accepted       INTEGER NOT NULL,
  vanished       INTEGER NOT NULL,
  unknown        INTEGER NOT NULL,
  pending        INTEGER NOT NULL,
  twins          INTEGER NOT NULL,
  flags_updated  INTEGER NOT NULL,
  flags_dropped  INTEGER NOT NULL,
  deleted        INTEGER NOT NULL,
  removed        INTEGER NOT NULL,
  bytes_copied   INTEGER NOT NULL,
  error_kind     TEXT,
  error          TEXT,
  error_context  TEXT,
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
)sql";

// batch.flags: a JSON array beside `keys`, of numbers in the table flags.
constexpr const char* kVersion5 = R"sql(
ALTER TABLE batch ADD COLUMN flags TEXT NOT NULL DEFAULT '[]';
)sql";

// What a relay leaves: messages put off, each with a schedule, and messages of which no answer
// came.
constexpr const char* kVersion6 = R"sql(
ALTER TABLE failure ADD COLUMN due_at INTEGER;
ALTER TABLE failure ADD COLUMN deferred_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE failure ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;

DROP VIEW messages;
CREATE VIEW messages AS
  SELECT account.name AS account, folder.source AS folder, message.key, message.size,
         lower(hex(message.sha256)) AS sha256, flags.names AS flags,
         target_folder.name AS target, message.target_uid,
         datetime(message.date, 'unixepoch') AS date_utc, message.run,
         CASE message.origin WHEN 1 THEN 'appended' WHEN 2 THEN 'adopted' ELSE 'folded' END
           AS origin,
         datetime(message.copied_at, 'unixepoch') AS copied_utc,
         CASE message.state WHEN 0 THEN 'copied' WHEN 1 THEN 'seen' WHEN 2 THEN 'leaving'
                            WHEN 3 THEN 'marked' WHEN 4 THEN 'removed' ELSE 'unknown' END AS state
    FROM message
    JOIN folder ON folder.id = message.folder
    JOIN account ON account.id = folder.account
    JOIN target_folder ON target_folder.id = folder.target_folder
    JOIN flags ON flags.id = message.flags;
)sql";

// What was changed in a message, on request, so that the target took it: the steps' bits, see
// engine/repair.h. Of a failure: with which it is being sent, until that is decided.
constexpr const char* kVersion7 = R"sql(
ALTER TABLE message ADD COLUMN repairs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE failure ADD COLUMN repairs INTEGER NOT NULL DEFAULT 0;

DROP VIEW messages;
CREATE VIEW messages AS
  SELECT account.name AS account, folder.source AS folder, message.key, message.size,
         lower(hex(message.sha256)) AS sha256, flags.names AS flags,
         target_folder.name AS target, message.target_uid,
         datetime(message.date, 'unixepoch') AS date_utc, message.run,
         CASE message.origin WHEN 1 THEN 'appended' WHEN 2 THEN 'adopted' ELSE 'folded' END
           AS origin,
         datetime(message.copied_at, 'unixepoch') AS copied_utc,
         CASE message.state WHEN 0 THEN 'copied' WHEN 1 THEN 'seen' WHEN 2 THEN 'leaving'
                            WHEN 3 THEN 'marked' WHEN 4 THEN 'removed' ELSE 'unknown' END AS state,
         message.repairs
    FROM message
    JOIN folder ON folder.id = message.folder
    JOIN account ON account.id = folder.account
    JOIN target_folder ON target_folder.id = folder.target_folder
    JOIN flags ON flags.id = message.flags;
)sql";

// What logins carried, hour by hour, because providers limit it by the day. login: an end's
// identity.
constexpr const char* kVersion8 = R"sql(
CREATE TABLE traffic (
  login      TEXT NOT NULL,
  direction  TEXT NOT NULL,
  hour       INTEGER NOT NULL,
  bytes      INTEGER NOT NULL,
  PRIMARY KEY (login, direction, hour)
) STRICT, WITHOUT ROWID;
)sql";

// Messages that were left out for a date which no listing tells.
constexpr const char* kVersion9 = R"sql(
DROP VIEW messages;
CREATE VIEW messages AS
  SELECT account.name AS account, folder.source AS folder, message.key, message.size,
         lower(hex(message.sha256)) AS sha256, flags.names AS flags,
         target_folder.name AS target, message.target_uid,
         datetime(message.date, 'unixepoch') AS date_utc, message.run,
         CASE message.origin WHEN 1 THEN 'appended' WHEN 2 THEN 'adopted' ELSE 'folded' END
           AS origin,
         datetime(message.copied_at, 'unixepoch') AS copied_utc,
         CASE message.state WHEN 0 THEN 'copied' WHEN 1 THEN 'seen' WHEN 2 THEN 'leaving'
                            WHEN 3 THEN 'marked' WHEN 4 THEN 'removed' WHEN 5 THEN 'unknown'
                            ELSE 'left out' END AS state,
         message.repairs
    FROM message
    JOIN folder ON folder.id = message.folder
    JOIN account ON account.id = folder.account
    JOIN target_folder ON target_folder.id = folder.target_folder
    JOIN flags ON flags.id = message.flags;
)sql";

// What --after-copy left at the source for the user to decide. Such a message has a row, and why it
// was left is told by its failure.
constexpr const char* kVersion10 = R"sql(
ALTER TABLE run_folder ADD COLUMN left_at_source INTEGER NOT NULL DEFAULT 0;
)sql";

// Why, as a number (LeftBecause): until then it was known by its words.
constexpr const char* kVersion11 = R"sql(
ALTER TABLE failure ADD COLUMN left_because INTEGER;
UPDATE failure SET left_because = CASE substr(text, 21)
  WHEN 'what was copied is not on the target as it was copied' THEN 1
  WHEN 'what the target had before has the same header, but is not the same byte for byte' THEN 2
  WHEN 'it cannot be proved that this is what was copied under that name' THEN 3
  ELSE 4 END
  WHERE text LIKE 'left at the source: %'
    AND EXISTS (SELECT 1 FROM message
                 WHERE message.folder = failure.folder AND message.key = failure.key);
)sql";

// Migration N is element N - 1; it leads from format N - 1 to format N.
constexpr std::array kMigrations = {kVersion1, kVersion2,  kVersion3, kVersion4,
                                    kVersion5, kVersion6,  kVersion7, kVersion8,
                                    kVersion9, kVersion10, kVersion11};

[[noreturn]] void refuse(const Database& database, const std::string& why) {
  throw Error(ErrorKind::journal, why, "journal " + database.path());
}

/// The file's format; 0 for an empty database.
std::int64_t known_version(Database& database) {
  const std::int64_t application = database.integer("PRAGMA application_id");
  const std::int64_t version = database.integer("PRAGMA user_version");
  if (application != kApplicationId) {
    const std::int64_t tables = database.integer("SELECT count(*) FROM sqlite_schema");
    if (application != 0 || version != 0 || tables != 0) {
      refuse(database, "the file is another program's database; name another file");
    }
    return 0;
  }
  if (version > kSchemaVersion) {
    refuse(database,
           fmt::format("the journal has format {}, this postferry knows up to {}; use the "
                       "newer postferry that wrote it",
                       version, kSchemaVersion));
  }
  return version;
}

}  // namespace

const int kSchemaVersion = static_cast<int>(std::size(kMigrations));

void migrate(Database& database) {
  if (known_version(database) == kSchemaVersion) return;
  Transaction transaction(database);
  const std::int64_t version = known_version(database);
  for (std::size_t next = static_cast<std::size_t>(version); next < kMigrations.size(); ++next) {
    database.execute(kMigrations[next]);
  }
  database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                               kApplicationId, kSchemaVersion));
  transaction.commit();
}

void require_schema(Database& database) {
  const std::int64_t version = known_version(database);
  if (version == 0) refuse(database, "the file is empty, not a journal");
  if (version < kSchemaVersion) {
    refuse(database,
           fmt::format("the journal has the old format {}; a copy brings it up to date", version));
  }
}

}  // namespace postferry::state
