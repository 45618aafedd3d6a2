// Messages, failures and batches in SQL.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <utility>

#include "engine/error.h"
#include "state/store.h"

/// In the order in which read_row takes them.
#define ROW_COLUMNS                                                                           \
  "key, size, sha256, flags, target_uid, date, zone, run, origin, copied_at, state, listed, " \
  "header, repairs"

namespace postferry::state {

namespace {

/// The keys of a batch as a JSON array; see schema.cc.
std::string to_json(const std::vector<MessageKey>& keys) {
  std::string json = "[";
  for (const MessageKey& key : keys) {
    if (json.size() > 1) json += ',';
    if (key.is_uid()) {
      json += std::to_string(key.uid().value);
    } else {
      json += '"';
      for (const char c : key.uidl()) {
        if (c == '"' || c == '\\') {
          json += '\\';
          json += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
          json += fmt::format("\\u{:04x}", c);
        } else {
          json += c;
        }
      }
      json += '"';
    }
  }
  return json += "]";
}

bool is_void(const MessageKey& key) { return !key.is_uid() && key.uidl().empty(); }

std::optional<int> left_number(const FailureRow& row) {
  return row.left ? std::optional(static_cast<int>(*row.left)) : std::nullopt;
}

std::optional<LeftBecause> read_left(const Query& query, int column) {
  const std::optional<int> number = query.optional<int>(column);
  return number ? std::optional(static_cast<LeftBecause>(*number)) : std::nullopt;
}

bool any(Query& query) { return query.step(); }

}  // namespace

Value key_value(const MessageKey& key) {
  // A void key comes before all others: numbers sort before text.
  if (key.is_uid() || key.uidl().empty()) return key.uid().value;
  return key.uidl();
}

MessageKey read_key(const Query& query, int column) {
  if (query.is_integer(column)) {
    return MessageKey(Uid{static_cast<std::uint32_t>(query.integer(column))});
  }
  return MessageKey(std::string(query.text(column)));
}

MessageRow Store::read_row(const Query& query) {
  MessageRow row;
  row.key = read_key(query, 0);
  row.size_bytes = static_cast<std::uint64_t>(query.integer(1));
  if (const auto digest = query.blob(2); !query.is_null(2)) {
    Sha256 sha256{};
    if (digest.size() != sha256.size()) fail("a message has a SHA-256 of another length");
    std::copy(digest.begin(), digest.end(), sha256.begin());
    row.sha256 = sha256;
  }
  row.flags = flags_.flags(query.integer(3));
  row.target_uid = Uid{static_cast<std::uint32_t>(query.integer(4))};
  if (!query.is_null(5)) {
    row.date = InternalDate{query.integer(5), static_cast<std::int16_t>(query.integer(6))};
  }
  row.run = RunId{query.integer(7)};
  row.origin = static_cast<Origin>(query.integer(8));
  row.copied_at = query.integer(9);
  row.state = static_cast<MessageState>(query.integer(10));
  row.listed_bytes = query.optional<std::uint64_t>(11);
  if (!query.is_null(12)) row.header = std::bit_cast<std::uint64_t>(query.integer(12));
  row.repairs.bits = static_cast<std::uint32_t>(query.integer(13));
  return row;
}

std::vector<MessageRow> Store::rows(FolderId folder, const MessageKey& after, std::size_t limit) {
  Query query = database_.query("SELECT " ROW_COLUMNS
                                " FROM message"
                                " WHERE folder = ? AND key > ? ORDER BY key LIMIT ?");
  query.bind({folder.value, key_value(after), limit});
  std::vector<MessageRow> rows;
  while (query.step()) rows.push_back(read_row(query));
  return rows;
}

std::vector<MessageRow> Store::newest_rows(FolderId folder, std::size_t limit) {
  std::vector<MessageRow> rows;
  const auto read = [&](Query query) {
    query.bind({folder.value, limit});
    while (query.step()) rows.push_back(read_row(query));
  };
  // Numbers sort before text.
  read(database_.query("SELECT " ROW_COLUMNS " FROM message"
                       " WHERE folder = ? AND key < '' ORDER BY key DESC LIMIT ?"));
  if (rows.empty())
    read(database_.query("SELECT " ROW_COLUMNS " FROM message"
                         " WHERE folder = ? ORDER BY key DESC LIMIT ?"));
  return rows;
}

std::vector<MessageRow> Store::rows_outside(FolderId folder, const std::vector<UidRange>& ranges) {
  Query query = database_.query("SELECT " ROW_COLUMNS
                                " FROM message"
                                " WHERE folder = ? AND key > ? AND key < ? ORDER BY key");
  std::vector<MessageRow> rows;
  std::int64_t below = 0;  // all up to here has been looked at
  const auto look = [&](std::int64_t end) {
    if (end - below <= 1) return;
    query.bind({folder.value, below, end});
    while (query.step()) rows.push_back(read_row(query));
  };
  for (const UidRange& range : ranges) {
    look(range.first.value);
    below = range.last.value;
  }
  look(std::int64_t{UINT32_MAX} + 1);
  return rows;
}

std::vector<MessageRow> Store::rows_for(FolderId folder, const std::vector<MessageKey>& keys) {
  Query query = database_.query("SELECT " ROW_COLUMNS
                                " FROM message"
                                " WHERE folder = ? AND key = ?");
  std::vector<MessageRow> rows;
  for (const MessageKey& key : keys) {
    if (query.bind({folder.value, key_value(key)}).step()) rows.push_back(read_row(query));
  }
  return rows;
}

std::vector<MessageRow> Store::rows_of_run(FolderId folder, RunId run, const MessageKey& after,
                                           std::size_t limit) {
  Query query = database_.query(
      "SELECT " ROW_COLUMNS
      " FROM message"
      " WHERE folder = ? AND key > ? AND run = ? AND origin = 1 ORDER BY key LIMIT ?");
  query.bind({folder.value, key_value(after), run.value, limit});
  std::vector<MessageRow> rows;
  while (query.step()) rows.push_back(read_row(query));
  return rows;
}

void Store::accept_failures(FolderId folder) {
  database_.query("UPDATE failure SET accepted = 1 WHERE folder = ?").bind({folder.value}).run();
}

std::vector<FailureRow> Store::failures(FolderId folder) {
  Query query = database_.query(
      "SELECT key, size, text, run, accepted, due_at, deferred_since, tries, repairs,"
      " left_because FROM failure"
      " WHERE folder = ? ORDER BY key");
  query.bind({folder.value});
  std::vector<FailureRow> failures;
  while (query.step()) {
    failures.push_back(
        {read_key(query, 0), static_cast<std::uint64_t>(query.integer(1)),
         std::string(query.text(2)), RunId{query.integer(3)}, query.integer(4) != 0,
         query.optional<std::int64_t>(5), query.integer(6), static_cast<int>(query.integer(7)),
         Repairs{static_cast<std::uint32_t>(query.integer(8))}, read_left(query, 9)});
  }
  return failures;
}

std::vector<Uid> Store::named(TargetFolderId folder, Uid from) {
  Query query = database_.query(
      "SELECT DISTINCT target_uid FROM message WHERE target_uid >= ?2"
      " AND folder IN (SELECT id FROM folder WHERE target_folder = ?1) ORDER BY target_uid");
  query.bind({folder.value, from.value});
  std::vector<Uid> uids;
  while (query.step()) uids.push_back(Uid{static_cast<std::uint32_t>(query.integer(0))});
  return uids;
}

std::vector<MessageRow> Store::rows_at(TargetFolderId folder, const std::vector<Uid>& uids) {
  Query query = database_.query("SELECT " ROW_COLUMNS
                                " FROM message"
                                " WHERE target_uid = ?2"
                                " AND folder IN (SELECT id FROM folder WHERE target_folder = ?1)");
  std::vector<MessageRow> rows;
  for (const Uid uid : uids) {
    query.bind({folder.value, uid.value});
    while (query.step()) rows.push_back(read_row(query));
  }
  return rows;
}

std::vector<MessageRow> Store::last_rows(TargetFolderId folder, std::size_t limit) {
  std::vector<std::int64_t> sources;
  {
    Query query = database_.query("SELECT id FROM folder WHERE target_folder = ?");
    query.bind({folder.value});
    while (query.step()) sources.push_back(query.integer(0));
  }
  Query query = database_.query(
      "SELECT " ROW_COLUMNS
      " FROM message"
      " WHERE folder = ? AND target_uid IS NOT NULL ORDER BY target_uid DESC LIMIT ?");
  std::vector<MessageRow> rows;
  for (const std::int64_t source : sources) {
    query.bind({source, limit});
    while (query.step()) rows.push_back(read_row(query));
  }
  return rows;
}

std::vector<CopySize> Store::copies_sized(TargetFolderId folder,
                                          const std::vector<std::uint64_t>& sizes) {
  if (sizes.empty()) return {};
  Query query = database_.query(
      "SELECT target_uid, size FROM message"
      " WHERE target_uid IS NOT NULL AND size IN (SELECT value FROM json_each(?2))"
      " AND folder IN (SELECT id FROM folder WHERE target_folder = ?1)");
  query.bind({folder.value, fmt::format("[{}]", fmt::join(sizes, ","))});
  std::vector<CopySize> copies;
  while (query.step())
    copies.push_back({Uid{static_cast<std::uint32_t>(query.integer(0))},
                      static_cast<std::uint64_t>(query.integer(1))});
  return copies;
}

std::vector<CopyLook> Store::copies_without_uid(TargetFolderId folder, FolderId other_than) {
  Query query = database_.query(
      "SELECT size, date FROM message WHERE target_uid IS NULL AND date IS NOT NULL"
      " AND folder IN (SELECT id FROM folder WHERE target_folder = ?1 AND id != ?2)");
  query.bind({folder.value, other_than.value});
  std::vector<CopyLook> copies;
  while (query.step())
    copies.push_back({static_cast<std::uint64_t>(query.integer(0)), query.integer(1)});
  return copies;
}

std::vector<OpenBatch> Store::open_batches(TargetFolderId folder) {
  std::vector<OpenBatch> batches;
  std::vector<std::string> keys, flags;
  {
    Query query = database_.query(
        "SELECT id, folder, uid_validity, uid_next, opened_at, settled, run, keys, flags FROM batch"
        " WHERE target_folder = ? ORDER BY id");
    query.bind({folder.value});
    while (query.step()) {
      OpenBatch& batch = batches.emplace_back();
      batch.id = query.integer(0);
      batch.folder = FolderId{query.integer(1)};
      batch.uid_validity = static_cast<std::uint32_t>(query.integer(2));
      batch.uid_next = Uid{static_cast<std::uint32_t>(query.integer(3))};
      batch.opened_at = query.integer(4);
      batch.settled = query.integer(5) != 0;
      batch.run = RunId{query.integer(6)};
      keys.emplace_back(query.text(7));
      flags.emplace_back(query.text(8));
    }
  }
  Query query = database_.query("SELECT value FROM json_each(?)");
  for (std::size_t i = 0; i < batches.size(); ++i) {
    query.bind({keys[i]});
    while (query.step()) batches[i].keys.push_back(read_key(query, 0));
    query.bind({flags[i]});
    while (query.step()) batches[i].flags.push_back(flags_.flags(query.integer(0)));
  }
  return batches;
}

std::int64_t Store::open_batch(TargetFolderId folder, const OpenBatch& batch) {
  std::vector<std::int64_t> flags;
  for (const Flags& each : batch.flags) flags.push_back(flags_.number(each));
  database_
      .query(
          "INSERT INTO batch (target_folder, folder, run, uid_validity, uid_next, opened_at,"
          " settled, keys, flags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind({folder.value, batch.folder.value, batch.run.value, batch.uid_validity,
             batch.uid_next.value, batch.opened_at, batch.settled, to_json(batch.keys),
             fmt::format("[{}]", fmt::join(flags, ","))})
      .run();
  return database_.last_insert_id();
}

void Store::record(const Record& record) {
  if (record.void_keys) void_keys(record.folder);
  if (record.source_uid_validity)
    database_.query("UPDATE folder SET uid_validity = ? WHERE id = ?")
        .bind({*record.source_uid_validity, record.folder.value})
        .run();
  forget(record.folder, record.forget);
  rename_in_batches(record);
  write_rows(record);
  write_failures(record);
  Query close = database_.query("DELETE FROM batch WHERE id = ?");
  for (const std::int64_t id : record.close_batches) close.bind({id}).run();
  Query settle = database_.query("UPDATE batch SET settled = 1, run = ? WHERE id = ?");
  for (const std::int64_t id : record.settle_batches) settle.bind({record.run.value, id}).run();
  write_target(record);
}

void Store::rename_in_batches(const Record& record) {
  if (record.renamed.empty()) return;
  const std::map<MessageKey, MessageKey> names(record.renamed.begin(), record.renamed.end());
  Query update = database_.query("UPDATE batch SET keys = ? WHERE id = ?");
  for (OpenBatch& batch : open_batches(record.target_folder)) {
    if (batch.folder != record.folder) continue;
    for (MessageKey& key : batch.keys)
      if (const auto name = names.find(key); name != names.end()) key = name->second;
    update.bind({to_json(batch.keys), batch.id}).run();
  }
}

void Store::write_rows(const Record& record) {
  if (record.rows.empty()) return;
  const FolderId folder = record.folder;
  if (!any(database_.query("SELECT 1 FROM folder WHERE id = ?").bind({folder.value}))) {
    fail("messages of a folder that is not in the journal");
  }
  // The table is nearly always empty: ask once, not for each message.
  const bool failed =
      any(database_.query("SELECT 1 FROM failure WHERE folder = ? LIMIT 1").bind({folder.value}));
  Query insert = database_.query(
      "INSERT INTO message (folder, " ROW_COLUMNS
      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder, key) DO UPDATE "
      "SET"
      " size = excluded.size, sha256 = excluded.sha256, flags = excluded.flags,"
      " target_uid = excluded.target_uid, date = excluded.date, zone = excluded.zone,"
      " run = excluded.run, origin = excluded.origin, copied_at = excluded.copied_at,"
      " state = excluded.state, listed = excluded.listed, header = excluded.header,"
      " repairs = excluded.repairs");
  Query crossed = database_.query("DELETE FROM failure WHERE folder = ? AND key = ?");
  for (const MessageRow& row : record.rows) {
    if (is_void(row.key)) fail("a message without a key");
    std::optional<std::uint32_t> target_uid;
    if (row.target_uid) target_uid = row.target_uid.value;
    std::optional<std::int64_t> seconds;
    std::optional<std::int16_t> zone;
    if (row.date) seconds = row.date->seconds, zone = row.date->zone_minutes;
    std::optional<std::int64_t> header;
    if (row.header) header = std::bit_cast<std::int64_t>(*row.header);
    insert
        .bind({folder.value, key_value(row.key), row.size_bytes, row.sha256,
               flags_.number(row.flags), target_uid, seconds, zone, row.run.value,
               static_cast<int>(row.origin), row.copied_at, static_cast<int>(row.state),
               row.listed_bytes, header, row.repairs.bits})
        .run();
    if (failed) crossed.bind({folder.value, key_value(row.key)}).run();
  }
}

void Store::write_failures(const Record& record) {
  Query insert = database_.query(
      "INSERT INTO failure (folder, key, size, text, run, due_at, deferred_since, tries,"
      " repairs, left_because) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder, key) DO "
      "UPDATE SET"
      " size = excluded.size, text = excluded.text, run = excluded.run, due_at = excluded.due_at,"
      " deferred_since = excluded.deferred_since, tries = excluded.tries,"
      " repairs = excluded.repairs, left_because = excluded.left_because");
  for (const FailureRow& row : record.failures) {
    if (is_void(row.key)) fail("a failure without a key");
    insert
        .bind({record.folder.value, key_value(row.key), row.size_bytes, row.text, row.run.value,
               row.due_at, row.deferred_since, row.tries, row.repairs.bits, left_number(row)})
        .run();
  }
}

void Store::write_target(const Record& record) {
  if (record.watermark)
    database_.query("UPDATE folder SET matched = 1 WHERE id = ?").bind({record.folder.value}).run();
  if (!record.watermark && !record.target_uid_validity && !record.uid_next_seen) return;
  std::optional<std::uint32_t> watermark;
  std::optional<std::uint32_t> uid_next;
  if (record.watermark) watermark = record.watermark->value;
  if (record.uid_next_seen) uid_next = record.uid_next_seen->value;
  database_
      .query(
          "UPDATE target_folder SET watermark = coalesce(?2, watermark),"
          " uid_validity = coalesce(?3, uid_validity),"
          " uid_next_seen = max(uid_next_seen, coalesce(?4, 0)) WHERE id = ?1")
      .bind({record.target_folder.value, watermark, record.target_uid_validity, uid_next})
      .run();
}

void Store::update_flags(FolderId folder, const std::vector<std::pair<MessageKey, Flags>>& flags) {
  Query query = database_.query("UPDATE message SET flags = ?3 WHERE folder = ?1 AND key = ?2");
  for (const auto& [key, set] : flags) {
    query.bind({folder.value, key_value(key), flags_.number(set)}).run();
  }
}

void Store::forget(FolderId folder, const std::vector<MessageKey>& keys) {
  Query message = database_.query("DELETE FROM message WHERE folder = ? AND key = ?");
  Query failure = database_.query("DELETE FROM failure WHERE folder = ? AND key = ?");
  for (const MessageKey& key : keys) {
    message.bind({folder.value, key_value(key)}).run();
    failure.bind({folder.value, key_value(key)}).run();
  }
}

std::vector<MessageRow> Store::removable(FolderId folder, std::int64_t copied_until,
                                         const MessageKey& after, std::size_t limit) {
  Query query = database_.query("SELECT " ROW_COLUMNS
                                " FROM message"
                                " WHERE folder = ?1 AND key > ?2 AND state < 3 AND repairs = 0 AND "
                                "copied_at <= ?3 ORDER BY key LIMIT ?4");
  query.bind({folder.value, key_value(after), copied_until, limit});
  std::vector<MessageRow> rows;
  while (query.step()) rows.push_back(read_row(query));
  return rows;
}

void Store::set_state(FolderId folder, const std::vector<MessageKey>& keys, MessageState state) {
  Query query = database_.query("UPDATE message SET state = ?3 WHERE folder = ?1 AND key = ?2");
  for (const MessageKey& key : keys) {
    query.bind({folder.value, key_value(key), static_cast<int>(state)}).run();
  }
}

}  // namespace postferry::state
